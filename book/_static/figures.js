// A click, a tap or Enter on a figure opens it at its natural size or larger; Escape, or a second click, closes it.
(() => {
  const FIGURES = ".bd-article :is(.cell_output, figure, .widget-subarea) img:not(a img)";
  const dialog = document.createElement("dialog");
  dialog.className = "lmc-enlarged";
  dialog.addEventListener("click", () => dialog.close());

  const open = (figure) => {
    const natural = figure.getAttribute("width") || figure.naturalWidth; // frames have more pixels than they show
    const copy = figure.cloneNode();
    for (const name of ["id", "role", "tabindex", "height", "aria-haspopup"]) copy.removeAttribute(name);
    copy.style.cssText = `width: max(${natural}px, min(92vw, ${1.5 * natural}px))`;
    const close = document.createElement("button");
    close.type = "button";
    close.textContent = "Close";
    dialog.replaceChildren(close, copy);
    dialog.setAttribute("aria-label", figure.alt || "Figure");
    dialog.showModal();
  };

  const mark = () => {
    for (const figure of document.querySelectorAll(FIGURES)) {
      if (figure.tabIndex === 0) continue;
      figure.tabIndex = 0;
      figure.setAttribute("role", "button");
      figure.setAttribute("aria-haspopup", "dialog");
    }
  };

  const start = () => {
    const article = document.querySelector(".bd-article");
    if (!article) return;
    document.body.append(dialog);
    mark();
    new MutationObserver(mark).observe(article, { childList: true, subtree: true }); // widgets draw theirs later
    article.addEventListener("click", (event) => event.target.matches(FIGURES) && open(event.target));
    article.addEventListener("keydown", (event) => {
      if (!["Enter", " "].includes(event.key) || !event.target.matches(FIGURES)) return;
      event.preventDefault();
      open(event.target);
    });
  };
  addEventListener("DOMContentLoaded", start);
})();
