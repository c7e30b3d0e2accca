// Between require.js and the widgets' html-manager: where modules are, and MathJax 3 for scripts that know only 2.
(() => {
  const here = new URL(".", document.currentScript.src || location.href).href; // no address where the page is one file
  const bundled = ["base", "controls", "base7", "controls7", "html-manager", "html-manager/dist/libembed-amd"];
  const paths = { anywidget: `${here}anywidget`, ...window.lmcModules };
  for (const name of bundled) paths[`@jupyter-widgets/${name}`] = `${here}embed-amd`; // they find their fonts by this
  window.require?.config({ paths });
  document.currentScript.dataset.jupyterWidgetsCdn = here; // what is missing is not asked of another host

  document.addEventListener("DOMContentLoaded", () => {
    if (!window.MathJax) return;
    const Queue = ([, , element]) => {
      element.classList.add("mathjax_process"); // the page asks for mathematics to be left alone elsewhere
      window.MathJax.startup.promise.then(() => window.MathJax.typesetPromise([element]));
    };
    window.MathJax.Hub ??= { Queue };
  });

  // What the widgets' own controls leave without a name, for those who do not see them.
  const name = () => {
    for (const bar of document.querySelectorAll(".widget-play"))
      ["Play or pause", "Stop", "Repeat"].forEach((words, at) => bar.children[at]?.setAttribute("aria-label", words));
    for (const slider of document.querySelectorAll(".widget-slider")) {
      const words = slider.querySelector(".widget-label")?.textContent;
      slider.querySelector("[role=slider]")?.setAttribute("aria-label", words || "frame");
    }
  };
  document.addEventListener("DOMContentLoaded", () => {
    const article = document.querySelector("article");
    if (article) new MutationObserver(name).observe(article, { childList: true, subtree: true });
  });
})();
