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

// A figure of several panels is too small to be read on a telephone: there it keeps its size, and scrolls.
const WIDE = 1.7; // times its height, or
const LARGE = 1100; // pixels
const scrollFigures = () => {
  const narrow = window.matchMedia("(max-width: 720px)").matches;
  for (const picture of document.querySelectorAll(".bd-article img:not(td img, .sd-card img, .sphx-glr-thumbnails img)")) {
    const [width, height] = [picture.naturalWidth, picture.naturalHeight];
    const scrolls = narrow && ((width > WIDE * height && width > 500) || width > LARGE);
    let frame = picture.parentElement;
    if (frame.tagName === "A") frame = frame.parentElement;
    if (frame.tagName === "SECTION") {
      if (!scrolls) continue;
      frame = document.createElement("div");
      picture.replaceWith(frame);
      frame.append(picture);
    }
    if (frame.childElementCount > 1 && frame.tagName !== "FIGURE") continue;
    frame.classList.toggle("maillon-scrolls", scrolls);
    if (scrolls) frame.tabIndex = 0;
    else frame.removeAttribute("tabindex");
  }
};
window.addEventListener("load", scrollFigures);
window.addEventListener("resize", () => requestAnimationFrame(scrollFigures));

// The other language opens at the same place of the page.
document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a.maillon-language[data-same]");
  if (link) link.hash = window.location.hash;
});
