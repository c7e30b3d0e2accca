// Between require.js and the widgets' html-manager: where modules are, and MathJax 3 for scripts that know only 2.
(() => {
  const here = new URL(".", document.currentScript.src).href;
  const bundled = ["base", "controls", "base7", "controls7", "html-manager", "html-manager/dist/libembed-amd"];
  const paths = { anywidget: `${here}anywidget` };
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
})();
