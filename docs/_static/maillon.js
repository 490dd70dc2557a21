// Names for what can be unfolded: the theme's arrows have none, and those of notebooks have another than they show.
document.addEventListener("DOMContentLoaded", () => {
  for (const arrow of document.querySelectorAll(".has-children > details > summary")) {
    const title = arrow.closest("li").querySelector(":scope > a");
    if (title) arrow.setAttribute("aria-label", title.textContent.trim());
  }
  for (const summary of document.querySelectorAll(".cell summary[aria-label]")) summary.removeAttribute("aria-label");
});

// A formula inside a sentence does not break: where it is wider than the window, it scrolls by itself.
const foldFormulas = () => {
  const edge = document.querySelector(".bd-article-container")?.getBoundingClientRect().right;
  for (const formula of document.querySelectorAll("span.math:not(table span)")) {
    formula.classList.remove("maillon-wide");
    formula.removeAttribute("tabindex");
    const set = formula.querySelector("mjx-container");
    if (!set || set.getBoundingClientRect().right <= edge) continue;
    formula.classList.add("maillon-wide");
    formula.tabIndex = 0;
  }
};
window.addEventListener("load", () => window.MathJax?.startup?.promise?.then(foldFormulas));
window.addEventListener("resize", () => requestAnimationFrame(foldFormulas));
