// A hit of the index says which section it leads to, and no section is listed twice.
function sections(results) {
  const { alltitles, docnames, titles } = Search._index;
  const named = new Map();
  for (const [title, places] of Object.entries(alltitles))
    for (const [file, id] of places) if (id) named.set(`${docnames[file]}#${id}`, `${titles[file]} > ${title}`);
  const seen = new Set();
  // The best result comes last.
  return results.reverse().filter((result) => {
    const place = result[0] + (result[2] || "");
    if (seen.has(place)) return false;
    seen.add(place);
    result[1] = named.get(place) || result[1];
    return true;
  }).reverse();
}

document.addEventListener("DOMContentLoaded", () => {
  if (typeof Search === "undefined") return;
  const perform = Search._performSearch;
  Search._performSearch = (...query) => sections(perform(...query));
});
