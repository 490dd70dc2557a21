// Names for what can be unfolded: the theme's arrows have none, and those of notebooks have another than they show.
document.addEventListener("DOMContentLoaded", () => {
  for (const arrow of document.querySelectorAll(".has-children > details > summary")) {
    const title = arrow.closest("li").querySelector(":scope > a");
    if (title) arrow.setAttribute("aria-label", title.textContent.trim());
  }
  for (const summary of document.querySelectorAll(".cell summary[aria-label]")) summary.removeAttribute("aria-label");
});
