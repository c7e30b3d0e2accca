// A map of a landscape in the plane, with trajectories on it.

const DECADES = [-2.5, 1.5]; // of the height that the colours span, in units of the median barrier
const EVERY = 3; // steps between two drawn points of a trajectory

export function landscapeMap(land, colours) {
  const canvas = html("canvas", { className: "lmc-canvas" });
  const [tied, walk, solutions] = ["lmc-ends", "lmc-walk", "lmc-solutions"].map((name) => svg("g", { class: name }));
  const layers = { ends: tied, walk, solutions };
  const over = svg("svg", { class: "lmc-over" }, layers.ends, layers.solutions, layers.walk);
  const holder = html("div", { className: "lmc-map" }, canvas, over);
  holder.setAttribute("role", "img");
  holder.setAttribute("aria-label", `Map of a landscape with ${land.solutions.length} valleys, with trajectories`);
  const middle = [0, 1].map((axis) => land.solutions.reduce((sum, one) => sum + one[axis] / land.solutions.length, 0));
  const far = Math.max(...land.solutions.map((one) => Math.hypot(one[0] - middle[0], one[1] - middle[1])));
  const half = 1.65 * far;
  const across = linear([middle[0] - half, middle[0] + half], [0, 100]);
  const down = linear([middle[1] - half, middle[1] + half], [100, 0]);
  over.setAttribute("viewBox", "0 0 100 100");
  const spot = ([x, y]) => [across(x), down(y)];

  function dot(point, attributes) {
    const [cx, cy] = spot(point);
    return svg("circle", { cx, cy, ...attributes });
  }

  layers.solutions.append(...land.solutions.map((one) => dot(one, { r: 1.1 })));

  function paint(side) {
    const size = Math.round(side * Math.min(2, window.devicePixelRatio || 1));
    if (!size || canvas.width === size) return;
    canvas.width = canvas.height = size;
    const context = canvas.getContext("2d");
    const image = context.createImageData(size, size);
    for (let row = 0, at = 0; row < size; row++) {
      const y = middle[1] + half * (1 - (2 * row + 1) / size);
      for (let column = 0; column < size; column++, at += 4) {
        const x = middle[0] + half * ((2 * column + 1) / size - 1);
        const decade = Math.log10(field(x, y, land.solutions) / land.height);
        const fraction = (decade - DECADES[0]) / (DECADES[1] - DECADES[0]);
        const shade = Math.min(colours.length - 1, Math.max(0, Math.floor(fraction * colours.length)));
        image.data.set([...colours[shade], 255], at);
      }
    }
    context.putImageData(image, 0, 0);
  }

  // Both siblings up to a step: one line until the fork, then one in each colour.
  function walkTo(path, at, step) {
    const points = (walker, from, to) => {
      const place = (now) => spot([path[4 * now + walker], path[4 * now + walker + 1]]);
      const found = [];
      for (let now = from; now < to; now += EVERY) found.push(place(now));
      return [...found, place(to)];
    };
    const lines = [["lmc-together", points(0, 0, Math.min(at, step))]];
    if (step > at) lines.push(["lmc-first", points(0, at, step)], ["lmc-second", points(2, at, step)]);
    const here = (walker) => [path[4 * step + walker], path[4 * step + walker + 1]];
    layers.walk.replaceChildren(
      ...lines.flatMap(([kind, line]) => [path_(line, "lmc-halo"), path_(line, kind)]),
      dot([path[0], path[1]], { r: 1.5, class: "lmc-start" }),
      dot(here(2), { r: 2.3, class: "lmc-second lmc-walker" }),
      dot(here(0), { r: step > at ? 1.7 : 2.3, class: `${step > at ? "lmc-first" : "lmc-together"} lmc-walker` }));
  }

  function ends(pairs) {
    layers.walk.replaceChildren();
    layers.ends.append(...pairs.flatMap(([first, second]) => [
      path([spot(first), spot(second)], { class: "lmc-tie" }),
      dot(first, { r: 1.1, class: "lmc-first" }),
      dot(second, { r: 1.1, class: "lmc-second" }),
    ]));
  }

  function clear() {
    layers.walk.replaceChildren();
    layers.ends.replaceChildren();
  }

  return { holder, paint, walkTo, ends, clear, scale: colourBar(colours) };
}

const path_ = (points, kind) => path(points, { class: kind });

function colourBar(colours) {
  const stops = colours.map((colour) => `rgb(${colour.join(" ")})`);
  const bar = html("div", { className: "lmc-ramp" });
  bar.style.background = `linear-gradient(to right, ${stops.join(", ")})`;
  const marks = html("div", { className: "lmc-marks" });
  for (const decade of [-2, -1, 0, 1]) {
    const mark = html("span", { textContent: `${10 ** decade}` });
    mark.style.left = `${(100 * (decade - DECADES[0])) / (DECADES[1] - DECADES[0])}%`;
    marks.append(mark);
  }
  return html("div", { className: "lmc-scale" }, bar, marks,
    html("p", {}, "height; 1 is the ridge between neighbouring valleys"));
}
