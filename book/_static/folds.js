// Parts that are folded: a link into one unfolds it, and paper has no folds.
(() => {
  const parts = () => document.querySelectorAll("details.lmc-fold");
  const reach = () => {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    for (let part = target.closest("details"); part; part = part.parentElement.closest("details")) part.open = true;
    target.scrollIntoView();
  };
  addEventListener("beforeprint", () => parts().forEach((part) => (part.open = true)));
  addEventListener("hashchange", reach);
  addEventListener("DOMContentLoaded", reach);
})();
