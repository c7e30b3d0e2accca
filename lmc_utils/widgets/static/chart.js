// Helpers for SVG figures: elements, scales, axes, paths, legends, and inputs with labels.

const SVG = "http://www.w3.org/2000/svg";

export function svg(tag, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

export function html(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

export function linear([from, to], [start, end]) {
  return (value) => start + ((value - from) / (to - from || 1)) * (end - start);
}

// About `count` round numbers between two ends.
export function ticks(low, high, count = 5) {
  const rough = (high - low) / count || 1;
  const decade = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((part) => part * decade).find((size) => size >= rough * 0.999);
  const first = Math.ceil(low / step - 1e-9);
  const length = Math.max(0, Math.floor(high / step + 1e-9) - first + 1);
  return Array.from({ length }, (_, index) => Number(((first + index) * step).toPrecision(12)));
}

// Powers of ten; only every second or third if there are many.
export function decades(low, high, most = 6) {
  const [first, last] = [Math.ceil(Math.log10(low) - 1e-9), Math.floor(Math.log10(high) + 1e-9)];
  const every = Math.max(1, Math.ceil((last - first + 1) / most));
  const length = Math.max(0, Math.floor((last - first) / every) + 1);
  return Array.from({ length }, (_, index) => 10 ** (first + index * every));
}

const SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹";

// A number with three digits, in scientific notation if it is very small or large: 0.148, 1230, 2.5 × 10⁻⁵.
export function short(value, digits = 3) {
  if (value === 0) return "0";
  const exponent = Math.floor(Math.log10(Math.abs(value)));
  if (exponent >= -3 && exponent < 5) return `${Number(value.toPrecision(digits))}`.replace("-", "−");
  const power = [...`${Math.abs(exponent)}`].map((digit) => SUPERSCRIPTS[digit]).join("");
  const lead = `${Number((value / 10 ** exponent).toPrecision(digits))}`.replace("-", "−");
  return `${lead === "1" ? "" : `${lead} × `}10${exponent < 0 ? "⁻" : ""}${power}`;
}

// A number with fixed decimals and a true minus sign; never "−0".
export function signed(value, decimals) {
  return value.toFixed(decimals).replace(/^-0(\.0*)?$/, "0$1").replace("-", "−");
}

// The colour of a fork epoch on the page, light or dark.
export function forkInk(colour) {
  return `color-mix(in oklab, ${colour} 75%, currentColor)`;
}

// An axis at the "bottom" or "left" of the box [left, top, right, bottom], with a title.
export function axis(side, scale, places, box, title, label = short) {
  const [left, top, right, bottom] = box;
  const group = svg("g", { class: "lmc-axis" });
  for (const place of places) {
    const at = scale(place);
    if (side === "bottom") {
      group.append(svg("line", { x1: at, x2: at, y1: bottom, y2: bottom + 5 }));
      group.append(svg("text", { x: at, y: bottom + 24, "text-anchor": "middle" }, label(place)));
    } else {
      group.append(svg("line", { x1: left, x2: right, y1: at, y2: at, class: "lmc-grid" }));
      group.append(svg("text", { x: left - 8, y: at + 4, "text-anchor": "end" }, label(place)));
    }
  }
  if (side === "bottom") {
    group.append(svg("line", { x1: left, x2: right, y1: bottom, y2: bottom }));
    group.append(svg("text", { x: (left + right) / 2, y: bottom + 45, "text-anchor": "middle" }, title));
  } else {
    group.append(svg("text", { x: 2, y: top - 12, "text-anchor": "start" }, title));
  }
  return group;
}

// A path through points; `null` interrupts it.
export function path(points, attributes = {}) {
  let pen = "M";
  const steps = points.map((point) => {
    if (!point) {
      pen = "M";
      return "";
    }
    const step = `${pen}${point[0].toFixed(2)} ${point[1].toFixed(2)}`;
    pen = "L";
    return step;
  });
  return svg("path", { d: steps.join(""), fill: "none", ...attributes });
}

export function slider(text, { min, max, step, value }, say, changed) {
  const input = html("input", { type: "range", min, max, step });
  const output = html("output", { textContent: say(value) });
  output.setAttribute("aria-live", "off"); // screen readers read the value of the slider itself
  input.value = value;
  input.addEventListener("input", () => {
    output.textContent = say(Number(input.value));
    input.setAttribute("aria-valuetext", output.textContent);
    changed(Number(input.value));
  });
  return html("label", { className: "lmc-slider" }, html("span", {}, text), input, output);
}

export function button(text, press, className = "") {
  const made = html("button", { type: "button", textContent: text, className: `lmc-button ${className}`.trim() });
  made.addEventListener("click", press);
  return made;
}

export function choice(text, names, changed) {
  const select = html("select", {}, ...names.map((name, value) => html("option", { textContent: name, value })));
  select.addEventListener("change", () => changed(Number(select.value)));
  return { label: html("label", {}, `${text} `, select), select };
}

// Calls `drag` while the pointer is held down on an element.
export function follow(target, drag) {
  let held = false;
  target.addEventListener("pointerdown", (event) => {
    held = true;
    target.setPointerCapture(event.pointerId);
    event.preventDefault();
    drag(event);
  });
  target.addEventListener("pointermove", (event) => held && drag(event));
  for (const end of ["pointerup", "pointercancel"]) target.addEventListener(end, () => (held = false));
}

// A legend from pairs of the class of a line, without "lmc-", and its meaning.
export function lineLegend(entries) {
  const items = entries.map(([kind, text]) => html("span", {}, html("i", { className: `lmc-${kind}` }), text));
  return html("p", { className: "lmc-key" }, ...items);
}

// Screen readers announce changes of this element when they have finished speaking.
export function announced(element) {
  element.setAttribute("role", "status");
  element.setAttribute("aria-live", "polite");
  return element;
}

// A table from column titles, the first empty, and rows of a name and texts.
export function numbersTable(titles, rows) {
  const head = titles.map((text) => html("th", { scope: "col" }, text));
  const body = rows.map(([name, ...cells]) =>
    html("tr", {}, html("th", { scope: "row" }, name), ...cells.map((text) => html("td", {}, text))));
  return html("table", {}, html("thead", {}, html("tr", {}, ...head)), html("tbody", {}, ...body));
}

// Draws again when the width of an element changes; returns a function that stops this.
export function onResize(element, draw) {
  let before = 0;
  const observer = new ResizeObserver(() => {
    const width = Math.round(element.clientWidth);
    if (width && width !== before) draw((before = width));
  });
  observer.observe(element);
  return () => observer.disconnect();
}

// A figure that fails shows a one-line message in its place; the rest of the page is unaffected.
export function guarded(el, build) {
  const say = (error) => {
    const note = html("p", { className: "lmc-note", textContent: `This figure cannot be drawn. ${error.message}` });
    note.setAttribute("role", "alert");
    el.replaceChildren(note);
  };
  const safely = (work) => (...given) => {
    try {
      return work(...given);
    } catch (error) {
      say(error);
    }
  };
  return safely(() => build(safely))();
}

export function readScene(model, parts) {
  const scene = model.get("scene");
  const missing = parts.filter((name) => scene?.[name] === undefined);
  if (missing.length) throw new Error(`scene lacks ${missing.join(", ")}`);
  return scene;
}

export function number(model, name, fits, allowed) {
  const value = model.get(name);
  if (Number.isFinite(value) && fits(value)) return value;
  throw new Error(`${name} must be ${allowed} (got ${JSON.stringify(value)})`);
}
