// Walk the line: from one sibling to the other, on the curves of loss and error and on the plane with their fork point.

const HEIGHT = 205; // of each of the two charts
const QUANTITIES = [
  ["loss", "loss (nats)", 3],
  ["error", "error (%)", 1],
];

function sceneOf(model) {
  const scene = model.get("scene");
  const parts = ["alphas", "forks", "pairs", "splits", "colours", "ground", "range", "sides", "third"];
  const lost = parts.filter((name) => scene?.[name] === undefined);
  if (lost.length) throw new Error(`scene: expected ${lost.join(", ")}, found nothing there`);
  return scene;
}

// The value at alpha, linear between the neighbours that were measured.
export function between(alphas, values, alpha) {
  const right = Math.max(1, alphas.findIndex((each) => each >= alpha));
  const share = (alpha - alphas[right - 1]) / (alphas[right] - alphas[right - 1]);
  return (1 - share) * values[right - 1] + share * values[right];
}

// What there is to say of one place on the line: the value, and how far it is above the chord between the siblings.
export function reading(alphas, values, alpha) {
  const [first, second, here] = [0, 1, alpha].map((place) => between(alphas, values, place));
  return { here, above: here - (1 - alpha) * first - alpha * second };
}

// Bytes 0 to 255, one for each point of the grid, row by row from below.
function heightsOf(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

function groundMap(scene) {
  const canvas = html("canvas", { className: "lmc-ground" });
  const lines = svg("g");
  const knob = svg("g", { class: "lmc-handle lmc-here" });
  knob.append(svg("circle", { r: 18, class: "lmc-grip" }), svg("circle", { r: 7 }));
  const over = svg("svg", { class: "lmc-over" }, lines, knob);
  const holder = html("div", { className: "lmc-map lmc-plane" }, canvas, over);
  let [side, across, down, corners] = [0, null, null, null];

  // Both axes on one scale, so that angles are what they are; the middle of the grid in the middle of the picture.
  function aim(plane) {
    const spans = [plane.x, plane.y].map(([low, high]) => high - low);
    const half = Math.max(...spans) / 2;
    const [x, y] = [plane.x, plane.y].map(([low, high]) => (low + high) / 2);
    [across, down] = [linear([x - half, x + half], [0, side]), linear([y - half, y + half], [side, 0])];
    corners = plane.corners;
  }

  // For each pixel of one axis the grid point before it and the share of the way to the next; null beyond the grid.
  function onGrid([first, last], count, size) {
    return Array.from({ length: size }, (_, pixel) => {
      const at = ((((pixel + 0.5) * side) / size - first) / (last - first)) * (count - 1);
      if (at < 0 || at > count - 1) return null;
      const before = Math.min(count - 2, Math.floor(at));
      return [before, at - before];
    });
  }

  function paint(plane, now) {
    side = now;
    aim(plane);
    over.setAttribute("viewBox", `0 0 ${side} ${side}`);
    const heights = heightsOf(plane.heights);
    const [columns, rows] = scene.sides;
    const size = Math.round(side * Math.min(2, window.devicePixelRatio || 1));
    canvas.width = canvas.height = size;
    const context = canvas.getContext("2d");
    const image = context.createImageData(size, size);
    const pixels = new Uint32Array(image.data.buffer);
    const shades = scene.ground.map((colour) => new Uint32Array(Uint8Array.of(...colour, 255).buffer)[0]);
    const sideways = onGrid(plane.x.map(across), columns, size);
    onGrid(plane.y.map(down), rows, size).forEach((upward, row) => {
      if (!upward) return;
      const [below, v] = upward;
      const at = (column) => (1 - v) * heights[below * columns + column] + v * heights[(below + 1) * columns + column];
      const line = Array.from({ length: columns }, (_, column) => (at(column) / 255) * (shades.length - 1));
      sideways.forEach((place, column) => {
        if (!place) return;
        const [left, u] = place;
        pixels[row * size + column] = shades[Math.round((1 - u) * line[left] + u * line[left + 1])];
      });
    });
    context.putImageData(image, 0, 0);
    const spots = corners.map(spot);
    const names = ["1", "2", scene.third];
    lines.replaceChildren(
      path([spots[0], spots[1]], { class: "lmc-sibling-line" }),
      ...spots.map(([cx, cy]) => svg("circle", { cx, cy, r: 4, class: "lmc-corner" })),
      ...spots.map(([x, y], index) =>
        svg("text", { x, y: y + (index < 2 ? 22 : -11), "text-anchor": "middle", class: "lmc-name" }, names[index])));
  }

  const spot = ([x, y]) => [across(x), down(y)];

  // A line without a plane, where the three points lie on one line, has no picture.
  function show(plane) {
    holder.hidden = !plane;
  }

  function stand(alpha) {
    const [first, second] = corners;
    const place = [0, 1].map((axis) => (1 - alpha) * first[axis] + alpha * second[axis]);
    const [x, y] = spot(place);
    knob.setAttribute("transform", `translate(${x.toFixed(2)} ${y.toFixed(2)})`);
    return place;
  }

  // The alpha nearest to a place on the screen.
  function alphaAt(clientX, clientY) {
    const box = over.getBoundingClientRect();
    const at = [((clientX - box.left) / box.width) * side, ((clientY - box.top) / box.height) * side];
    const [first, second] = corners.slice(0, 2).map(spot);
    const way = [0, 1].map((axis) => second[axis] - first[axis]);
    const dot = (one, other) => one[0] * other[0] + one[1] * other[1];
    return dot([at[0] - first[0], at[1] - first[1]], way) / dot(way, way);
  }

  return { holder, knob, paint, show, stand, alphaAt };
}

function scaleOf({ ground, range: [low, high] }) {
  const ramp = html("div", { className: "lmc-ramp" });
  ramp.style.background = `linear-gradient(to right, ${ground.map((colour) => `rgb(${colour.join(" ")})`).join(", ")})`;
  const words = [short(low, 2), "train loss (nats), log", short(high, 2)].map((text) => html("span", {}, text));
  const ends = html("div", { className: "lmc-ends-of-scale" }, ...words);
  return html("div", { className: "lmc-scale" }, ramp, ends);
}

function choice(text, names, changed) {
  const select = html("select", {}, ...names.map((name, value) => html("option", { textContent: name, value })));
  select.addEventListener("change", () => changed(Number(select.value)));
  return { label: html("label", {}, `${text} `, select), select };
}

function line({ model, el }, safely) {
  let scene = sceneOf(model);
  let [fork, pair, alpha] = [0, 0, 0.5];
  let width = 0;

  const [low, high] = [scene.alphas[0], scene.alphas.at(-1)];
  const clamp = (value) => Math.min(high, Math.max(low, Math.round(value * 100) / 100));
  const ground = groundMap(scene);
  const forks = choice("Fork epoch", scene.forks.map(String), safely((value) => pick(value, pair)));
  const pairs = choice("Siblings", scene.pairs, safely((value) => pick(fork, value)));
  const slide = safely((value) => {
    alpha = clamp(value);
    step();
  });
  const way = slider("α", { min: low, max: high, step: 0.01, value: alpha }, (value) => short(value), slide);
  way.classList.add("lmc-alpha");
  const input = way.querySelector("input");
  const pictures = QUANTITIES.map(() => svg("svg", { class: "lmc-picture lmc-walked", role: "img" }));
  const marks = QUANTITIES.map(() => svg("g"));
  const numbers = html("div", { className: "lmc-numbers" });
  const said = html("p", { className: "lmc-status" });
  said.setAttribute("role", "status");
  said.setAttribute("aria-live", "polite");
  ground.holder.setAttribute("role", "img");
  const place = html("div", { className: "lmc-place" }, ground.holder, scaleOf(scene), said);
  const key = html("p", { className: "lmc-key" });
  for (const [kind, text] of [...scene.splits.map((split) => [split, split]), ["chord", "between the siblings' own"]])
    key.append(html("span", {}, html("i", { className: `lmc-${kind}` }), text));
  const grain = `Measured at ${scene.alphas.length} values of α; between them, straight lines.`;
  el.replaceChildren(
    html("div", { className: "lmc-figure" },
      html("div", { className: "lmc-bar" }, forks.label, pairs.label), way,
      html("div", { className: "lmc-columns" }, place, html("div", {}, key, ...pictures)), numbers,
      html("p", { className: "lmc-fine" }, grain)));

  const curve = (quantity, split) => scene[quantity][split][fork][pair];
  const plane = () => scene.planes[fork][pair];
  let scales = [];

  function pick(newFork, newPair) {
    [fork, pair] = [newFork, newPair];
    draw();
  }

  function draw() {
    if (!width) return;
    ground.show(plane());
    if (plane()) ground.paint(plane(), ground.holder.clientWidth);
    const room = pictures[0].parentElement.clientWidth;
    scales = QUANTITIES.map(([quantity, title], index) => chart(pictures[index], marks[index], quantity, title, room));
    step();
  }

  function chart(picture, mark, quantity, title, room) {
    const all = scene.splits.flatMap((_, split) => curve(quantity, split));
    const [least, most] = [Math.min(0, ...all), Math.max(...all)];
    const box = [52, 30, room - 14, HEIGHT - 50];
    const ends = [box[0], box[2]];
    const [x, back] = [linear([low, high], ends), linear(ends, [low, high])];
    const y = linear([least, most * 1.05 || 1], [box[3], box[1]]);
    picture.setAttribute("width", room);
    picture.setAttribute("height", HEIGHT);
    const colour = `color-mix(in oklab, ${scene.colours[fork]} 75%, currentColor)`;
    picture.replaceChildren(
      axis("left", y, ticks(least, most, 3), box, title),
      axis("bottom", x, [0, 0.5, 1].filter((tick) => tick >= low && tick <= high), box, "α"),
      ...scene.splits.flatMap((split, index) => {
        const values = curve(quantity, index);
        const chord = [0, 1].map((end) => [x(end), y(between(scene.alphas, values, end))]);
        const points = scene.alphas.map((each, at) => [x(each), y(values[at])]);
        const curved = path(points, { class: `lmc-${split}`, style: `stroke: ${colour}` });
        return [path(chord, { class: "lmc-chord" }), curved];
      }), mark);
    return { x, back, y, box };
  }

  function step() {
    if (!width) return;
    input.value = alpha;
    way.querySelector("output").textContent = short(alpha);
    input.setAttribute("aria-valuetext", short(alpha));
    const read = QUANTITIES.map(([quantity, , digits], index) => {
      const { x, y, box } = scales[index];
      const found = scene.splits.map((_, split) => reading(scene.alphas, curve(quantity, split), alpha));
      marks[index].replaceChildren(
        svg("line", { x1: x(alpha), x2: x(alpha), y1: box[1], y2: box[3], class: "lmc-plumb" }),
        ...found.map(({ here }) => svg("circle", { cx: x(alpha), cy: y(here), r: 5, class: "lmc-dot" })));
      const words = found.map(({ here, above }, split) =>
        `${scene.splits[split]} ${here.toFixed(digits)}, ${signed(above, digits)} above the chord`);
      const all = `${quantity} along the line; at alpha ${short(alpha)}: ${words.join("; ")}`;
      pictures[index].setAttribute("aria-label", all);
      return found;
    });
    table(read);
    locate();
  }

  const signed = (value, digits) => value.toFixed(digits).replace(/^-0(\.0*)?$/, "0$1").replace("-", "−");

  function table(read) {
    const titles = ["", ...QUANTITIES.flatMap(([, title]) => [title, "above the chord"])];
    const head = titles.map((text) => html("th", { scope: "col" }, text));
    const rows = scene.splits.map((split, index) => {
      const cells = QUANTITIES.flatMap(([, , digits], which) => {
        const { here, above } = read[which][index];
        return [here, above].map((value) => html("td", {}, signed(value, digits)));
      });
      return html("tr", {}, html("th", { scope: "row" }, split), ...cells);
    });
    numbers.replaceChildren(html("table", {}, html("thead", {}, html("tr", {}, ...head)), html("tbody", {}, ...rows)));
  }

  function locate() {
    if (!plane()) {
      said.textContent = "These siblings and the point where they parted lie on one line: there is no plane to show.";
      return;
    }
    const along = short(ground.stand(alpha)[0]);
    const apart = short(plane().corners[1][0]);
    said.textContent = `On the plane: ${along} from sibling 1 along the line; the siblings are ${apart} apart.`;
    const map = `Map of the train loss on the plane through both siblings and the ${scene.third}.`;
    ground.holder.setAttribute("aria-label", `${map} ${said.textContent}`);
  }

  // Held down anywhere on a picture, the pointer takes the network along.
  function follow(target, alphaAt) {
    let held = false;
    const drag = safely((event) => {
      if (!held) return;
      alpha = clamp(alphaAt(event));
      step();
    });
    target.addEventListener("pointerdown", (event) => {
      held = true;
      target.setPointerCapture(event.pointerId);
      event.preventDefault();
      drag(event);
    });
    target.addEventListener("pointermove", drag);
    for (const end of ["pointerup", "pointercancel"]) target.addEventListener(end, () => (held = false));
  }

  follow(ground.holder, ({ clientX, clientY }) => ground.alphaAt(clientX, clientY));
  pictures.forEach((picture, index) =>
    follow(picture, ({ clientX }) => scales[index].back(clientX - picture.getBoundingClientRect().left)));
  return onResize(el, safely((now) => {
    width = now;
    draw();
  }));
}

export default { render: (given) => guarded(given.el, (safely) => line(given, safely)) };
