// Landscape builder: move the minima of f(theta) = prod_i (theta - theta_i*)^2, and see its barriers.

const MAX_ROOTS = 8;
const SAMPLES = 360;

function rootsOf(model) {
  const given = model.get("roots");
  const fits = Array.isArray(given) && given.length >= 2 && given.length <= MAX_ROOTS && given.every(Number.isFinite);
  if (!fits) throw new Error(`roots must be 2 to ${MAX_ROOTS} finite numbers (got ${JSON.stringify(given)})`);
  return [...given].sort((one, other) => one - other);
}

// Each barrier with its second-order approximation, and the highest of them.
export function measureRidges(roots) {
  const found = ridges(roots).map((ridge, index) => {
    const approximation = secondOrderHeight(ridge.left, ridge.right, roots);
    return { ...ridge, index, approximation, factor: ridge.height > 0 ? approximation / ridge.height : NaN };
  });
  const most = Math.max(...found.map((ridge) => ridge.height));
  return { ridges: found, highest: found.find((ridge) => ridge.height >= most * (1 - 1e-9)) };
}

function statusText({ highest, ridges: all }, chosen) {
  const ridge = all[chosen] ?? highest;
  const name = (one) => `minima ${one.index + 1} and ${one.index + 2}`;
  const start = `Highest barrier: ${short(highest.height)}, between ${name(highest)}.`;
  const which = ridge === highest ? "There, the" : `Between ${name(ridge)} it is ${short(ridge.height)}, and the`;
  if (!(ridge.height > 0)) return `${start} Between ${name(ridge)} there is nothing to approximate.`;
  const times = `${short(ridge.factor)} times the barrier`;
  return `${start} ${which} second-order approximation gives ${short(ridge.approximation)}: ${times}.`;
}

export function landscapeBuilder({ model, el }, safely) {
  let roots = rootsOf(model);
  let home, view, scale, width, chosen;
  let last = null; // the minimum that was moved last, which "Remove" removes
  let mine = false; // whether this widget is changing the model

  const clip = `lmc-clip-${Math.random().toString(36).slice(2)}`;
  const drawing = svg("g");
  const handles = svg("g");
  const picture = svg("svg", { class: "lmc-picture" }, drawing, handles);
  const status = announced(html("p", { className: "lmc-status" }));
  const log = html("input", { type: "checkbox" });
  const which = html("select");
  const fewer = button("Remove a minimum", () => set(roots.filter((_, index) => index !== (last ?? roots.length - 1))));
  const more = button("Add a minimum", () => set([...roots, middleOfTheWidestGap()]));
  const presets = [
    button("Equal spacing", () => set(onInterval(roots.length, ...home))),
    button("Chebyshev", () => set(chebyshev(roots.length, ...home))),
  ];
  const key = lineLegend([
    ["curve", "landscape"],
    ["barrier", "barrier"],
    ["approximation", "second-order approximation"],
  ]);
  el.replaceChildren(
    html("div", { className: "lmc-figure" },
      html("div", { className: "lmc-bar" }, more, fewer, ...presets),
      key, picture, status,
      html("div", { className: "lmc-bar" },
        html("label", {}, "Approximate ", which),
        html("label", {}, log, " Logarithmic height"))));

  function middleOfTheWidestGap() {
    const gaps = roots.slice(1).map((root, index) => root - roots[index]);
    const at = gaps.findIndex((gap) => gap >= Math.max(...gaps) * (1 - 1e-9)); // the first of equals
    return (roots[at] + roots[at + 1]) / 2;
  }

  function settle(next) {
    const before = roots.length;
    roots = next;
    if (before !== roots.length || !handles.childElementCount) rebuild();
  }

  function frame() {
    const [low, high] = [roots[0], roots.at(-1)];
    const half = (high - low) / 2 || 1;
    home = high > low ? [low, high] : [low - half, high + half];
    view = [low - 0.3 * half, high + 0.3 * half];
  }

  function set(next) {
    last = next.length === roots.length ? last : null;
    settle(next.map((root) => Number(root.toPrecision(12))).sort((one, other) => one - other));
    mine = true;
    model.set("roots", roots);
    model.save_changes();
    mine = false;
    draw();
  }

  function move(index, theta) {
    const span = view[1] - view[0];
    const grain = 10 ** Math.floor(Math.log10(span / 1000));
    const [low, high] = reach(index);
    const next = [...roots];
    next[index] = low > high ? (low + high) / 2 : Math.min(high, Math.max(low, Math.round(theta / grain) * grain));
    last = index;
    set(next);
  }

  // Between its neighbours, at least a hundredth of the picture away from each, so that no ridge vanishes.
  function reach(index) {
    const gap = (view[1] - view[0]) / 100;
    return [(roots[index - 1] ?? view[0] - gap) + gap, (roots[index + 1] ?? view[1] + gap) - gap];
  }

  function rebuild() {
    handles.replaceChildren(...roots.map((_, index) => handle(index)));
    const names = ["the highest ridge", "every ridge"];
    roots.slice(1).forEach((_, index) => names.push(`ridge ${index + 1} to ${index + 2}`));
    which.replaceChildren(...names.map((text, value) => html("option", { textContent: text, value })));
    chosen = 0;
    more.disabled = roots.length >= MAX_ROOTS;
    fewer.disabled = roots.length <= 2;
  }

  function handle(index) {
    const knob = svg("g", { class: "lmc-handle", tabindex: 0, role: "slider" });
    knob.append(svg("circle", { r: 20, class: "lmc-grip" }), svg("circle", { r: 8 }));
    let held = false;
    knob.addEventListener("pointerdown", (event) => {
      held = true;
      knob.setPointerCapture(event.pointerId);
      knob.focus();
      event.preventDefault();
    });
    knob.addEventListener("pointermove", safely((event) => {
      if (held) move(index, scale.back(event.clientX - picture.getBoundingClientRect().left));
    }));
    for (const end of ["pointerup", "pointercancel"]) knob.addEventListener(end, () => (held = false));
    knob.addEventListener("keydown", safely((event) => {
      const way = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
      if (!way) return;
      event.preventDefault();
      move(index, roots[index] + ((way * (view[1] - view[0])) / 100) * (event.shiftKey ? 5 : 1));
    }));
    return knob;
  }

  function draw() {
    if (!width) return;
    const found = measureRidges(roots);
    const height = width < 480 ? 300 : 360;
    const box = [56, 34, width - 16, height - 58];
    const shown = chosen === 1 ? found.ridges : [found.ridges[chosen - 2] ?? found.highest];
    scale = scales(found, shown, box);
    for (const [name, value] of Object.entries({ width, height, viewBox: `0 0 ${width} ${height}` }))
      picture.setAttribute(name, value);
    drawing.replaceChildren(
      svg("clipPath", { id: clip },
        svg("rect", { x: box[0], y: box[1], width: box[2] - box[0], height: box[3] - box[1] + 2 })),
      axis("left", scale.y, scale.heights, box, "f(θ)"),
      axis("bottom", scale.x, ticks(...view, width < 480 ? 4 : 8), box, "θ"),
      svg("g", { "clip-path": `url(#${clip})` }, ...curves(shown)),
      ...labels(found, box));
    [...handles.children].forEach((knob, index) => place(knob, index, box));
    status.textContent = statusText(found, chosen - 2);
  }

  function scales(found, shown, box) {
    const top = 1.3 * found.highest.height || 1; // of the barriers: higher approximations are cut off
    const x = linear(view, [box[0], box[2]]);
    const back = linear([box[0], box[2]], view);
    if (!log.checked) return { x, back, y: linear([0, top], [box[3], box[1]]), heights: ticks(0, top, 5) };
    const lowest = Math.min(...found.ridges.map((ridge) => ridge.height).filter((each) => each > 0), top / 10) / 30;
    const highest = 2 * Math.max(top, ...shown.map((ridge) => ridge.approximation));
    const rise = linear([Math.log10(lowest), Math.log10(highest)], [box[3], box[1]]);
    return { x, back, y: (f) => rise(Math.log10(Math.max(f, lowest / 10))), heights: decades(lowest, highest) };
  }

  function curves(shown) {
    const many = Array.from({ length: SAMPLES + 1 }, (_, part) => view[0] + ((view[1] - view[0]) * part) / SAMPLES);
    const spots = [...many, ...roots].sort((one, other) => one - other);
    const points = spots.map((theta) => [scale.x(theta), Math.max(-9999, scale.y(landscape(theta, roots)[0]))]);
    const guesses = shown.map(({ left, right }) => {
      const parts = Array.from({ length: 61 }, (_, part) => part / 60);
      return path(parts.map((a) => [scale.x(left + a * (right - left)), scale.y(secondOrder(left, right, a, roots))]),
        { class: "lmc-approximation" });
    });
    return [path(points, { class: "lmc-curve" }), ...guesses];
  }

  // A stem and a number for each ridge; overlapping numbers are left out, except that of the highest.
  function labels(found, box) {
    const taken = [];
    return [found.highest, ...found.ridges.filter((ridge) => ridge !== found.highest)].map((ridge) => {
      const [x, y] = [scale.x(ridge.top), scale.y(ridge.height)];
      const text = short(ridge.height, 2);
      const half = 4 * text.length + 4;
      const free = taken.every(([other, reached]) => Math.abs(other - x) > half + reached);
      if (free) taken.push([x, half]);
      return svg("g", { class: "lmc-barrier" },
        svg("line", { x1: x, x2: x, y1: box[3], y2: y }),
        svg("circle", { cx: x, cy: y, r: 3.5 }),
        ...(free ? [svg("text", { x, y: y - 10, "text-anchor": "middle" }, text)] : []));
    });
  }

  function place(knob, index, box) {
    const [low, high] = reach(index);
    knob.setAttribute("transform", `translate(${scale.x(roots[index])} ${box[3]})`);
    knob.setAttribute("aria-label", `minimum ${index + 1} of ${roots.length}`);
    knob.setAttribute("aria-valuenow", roots[index]);
    knob.setAttribute("aria-valuemin", Math.min(low, roots[index]));
    knob.setAttribute("aria-valuemax", Math.max(high, roots[index]));
    knob.setAttribute("aria-valuetext", `at ${short(roots[index])}`);
  }

  const refresh = safely(() => {
    const given = mine ? roots : rootsOf(model);
    if (given.length === roots.length && given.every((root, index) => root === roots[index])) return;
    last = null;
    settle(given);
    frame();
    draw();
  });
  log.addEventListener("change", safely(draw));
  which.addEventListener("change", safely(() => {
    chosen = Number(which.value);
    draw();
  }));
  frame();
  rebuild();
  model.on("change:roots", refresh);
  const stop = onResize(el, safely((now) => {
    width = now;
    draw();
  }));
  return () => {
    stop();
    model.off("change:roots", refresh);
  };
}

export default { render: (given) => guarded(given.el, (safely) => landscapeBuilder(given, safely)) };
