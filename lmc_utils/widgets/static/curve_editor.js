// Curve editor: a quadratic Bezier curve on the plane, with loss and error along it.

const NEEDED = ["forks", "planes", "sides", "range", "third", "colours", "ground"];
const STEPS = 200; // segments of a curve
const CHART_HEIGHT = 190; // of each of the two charts
const MEASURES = [
  ["loss", "training loss (nats)"],
  ["error", "training error (%)"],
];

// The value at a position, bilinear between the four grid points around it.
export function interpolateOnPlane(values, [columns, rows], plane, [x, y]) {
  const at = (place, [first, last], count) => {
    const exact = Math.min(count - 1, Math.max(0, ((place - first) / (last - first)) * (count - 1)));
    const before = Math.min(count - 2, Math.floor(exact));
    return [before, exact - before];
  };
  const [left, u] = at(x, plane.x, columns);
  const [below, v] = at(y, plane.y, rows);
  const row = (index) => (1 - u) * values[index * columns + left] + u * values[index * columns + left + 1];
  return (1 - v) * row(below) + v * row(below + 1);
}

// Points of the curve, and at each the fraction of its length.
export function bezierCurve([first, second], bend) {
  const points = Array.from({ length: STEPS + 1 }, (_, step) => {
    const t = step / STEPS;
    return [0, 1].map((axis) => (1 - t) ** 2 * first[axis] + 2 * t * (1 - t) * bend[axis] + t ** 2 * second[axis]);
  });
  const lengths = [0];
  for (let step = 1; step <= STEPS; step++) {
    const [[x, y], [before, under]] = [points[step], points[step - 1]];
    lengths.push(lengths[step - 1] + Math.hypot(x - before, y - under));
  }
  const length = lengths[STEPS];
  return { points, length, fractions: lengths.map((each) => each / length) };
}

// Loss and error along a curve; its error barrier; its length over the distance.
export function measureCurve(plane, logs, sides, bend) {
  const [first, second] = plane.corners;
  const { points, length, fractions } = bezierCurve([first, second], bend);
  const loss = points.map((place) => Math.exp(interpolateOnPlane(logs, sides, plane, place)));
  const error = points.map((place) => interpolateOnPlane(plane.error, sides, plane, place));
  const barrier = Math.max(...error) - (error[0] + error[STEPS]) / 2;
  const distance = Math.hypot(second[0] - first[0], second[1] - first[1]);
  return { points, fractions, loss, error, highest: Math.max(...loss), barrier, longer: length / distance };
}

function curveEditor({ model, el }, safely) {
  const scene = readScene(model, NEEDED);
  const logs = scene.planes.map((plane) => plane.loss.map(Math.log));
  let [fork, width, place, scales] = [0, 0, [...scene.planes[0].corners[2]], []];

  const ground = planeMap(scene);
  ground.holder.setAttribute("role", "img");
  ground.holder.classList.add("lmc-free");
  const forks = choice("Fork epoch", scene.forks.map(String), safely((value) => {
    fork = value;
    place = [...plane().corners[2]];
    draw();
  }));
  const plane = () => scene.planes[fork];
  const along = (bend) => measureCurve(plane(), logs[fork], scene.sides, bend);
  const colour = () => forkInk(scene.colours[fork]);
  const middle = () => [0, 1].map((axis) => (plane().corners[0][axis] + plane().corners[1][axis]) / 2);
  const moves = ["along the line", "away from the line"].map((text, axis) => {
    const moved = safely((fraction) => {
      const [low, high] = [plane().x, plane().y][axis];
      place[axis] = low + fraction * (high - low);
      step();
    });
    const made = slider(`Bend ${text}`, { min: 0, max: 1, step: 0.001, value: 0.5 }, () => short(place[axis]), moved);
    return { made, input: made.querySelector("input"), output: made.querySelector("output") };
  });
  const to = (text, where) => button(text, safely(() => {
    place = [...where()];
    step();
  }));
  const pictures = MEASURES.map(() => svg("svg", { class: "lmc-picture", role: "img" }));
  const curves = MEASURES.map(() => svg("g"));
  const numbers = html("div", { className: "lmc-numbers" });
  const key = lineLegend([["train", "your curve"], ["test", "trained curve"], ["chord", "straight line"]]);
  const resolution = `Measured at ${scene.sides.join(" × ")} points of the plane; heights between them are interpolated.`;
  el.replaceChildren(
    html("div", { className: "lmc-figure" },
      html("div", { className: "lmc-bar" }, forks.label, to("Trained bend", () => plane().corners[2]),
        to("Straight line", middle)),
      ...moves.map(({ made }) => made),
      html("div", { className: "lmc-columns" },
        html("div", { className: "lmc-place" }, ground.holder, colourScale(scene)), html("div", {}, key, ...pictures)),
      numbers, html("p", { className: "lmc-fine" }, resolution)));

  function draw() {
    if (!width) return;
    ground.paint(plane(), ground.holder.clientWidth);
    const room = pictures[0].parentElement.clientWidth;
    const fixed = [along(plane().corners[2]), along(middle())];
    scales = MEASURES.map(([name, title], index) => {
      const all = fixed.flatMap((each) => each[name]);
      const [least, most] = [Math.min(0, ...all), Math.max(...all)];
      const box = [52, 30, room - 14, CHART_HEIGHT - 50];
      const [x, y] = [linear([0, 1], [box[0], box[2]]), linear([least, most * 1.25 || 1], [box[3], box[1]])];
      const points = (curve) => curve.fractions.map((each, at) => [x(each), y(curve[name][at])]);
      pictures[index].setAttribute("width", room);
      pictures[index].setAttribute("height", CHART_HEIGHT);
      pictures[index].replaceChildren(
        axis("left", y, ticks(least, most, 3), box, title),
        axis("bottom", x, [0, 0.5, 1], box, "fraction of path length"),
        path(points(fixed[1]), { class: "lmc-chord" }),
        path(points(fixed[0]), { class: "lmc-test", style: `stroke: ${colour()}` }), curves[index]);
      return { x, y, box };
    });
    step();
  }

  function step() {
    if (!width) return;
    const mine = along(place);
    MEASURES.forEach(([name, title], index) => {
      const { x, y, box } = scales[index];
      const points = mine.fractions.map((each, at) => [x(each), Math.max(box[1] - 8, y(mine[name][at]))]);
      curves[index].replaceChildren(path(points, { class: "lmc-train", style: `stroke: ${colour()}` }));
      pictures[index].setAttribute("aria-label", `${title} along the curve; at most ${short(Math.max(...mine[name]))}`);
    });
    ground.stand(place);
    const spots = mine.points.map(ground.spot);
    ground.curve.replaceChildren(path(spots, { class: "lmc-halo" }), path(spots, { class: "lmc-bezier" }));
    moves.forEach(({ input, output }, axis) => {
      const [low, high] = [plane().x, plane().y][axis];
      input.value = (place[axis] - low) / (high - low);
      output.textContent = short(place[axis]);
      input.setAttribute("aria-valuetext", output.textContent);
    });
    const curvesShown = [["your curve", mine], ["trained curve", along(plane().corners[2])], ["straight line", along(middle())]];
    table(curvesShown);
    const summary = `highest loss ${short(mine.highest)}, error barrier ${signed(mine.barrier, 1)} points`;
    ground.holder.setAttribute("aria-label", `Map of the training loss on the plane through both networks and the bend; ${summary}`);
  }

  function table(shown) {
    const titles = ["", "highest loss (nats)", "error barrier (points)", "length over distance"];
    const rows = shown.map(([name, { highest, barrier, longer }]) => {
      return [name, highest.toFixed(3), signed(barrier, 1), longer.toFixed(2)];
    });
    numbers.replaceChildren(numbersTable(titles, rows));
  }

  follow(ground.holder, safely((event) => {
    const [across, up] = ground.placeAt(event);
    place = [[across, plane().x], [up, plane().y]].map(([at, [low, high]]) => Math.min(high, Math.max(low, at)));
    step();
  }));
  return onResize(el, safely((now) => {
    width = now;
    draw();
  }));
}

export default { render: (given) => guarded(given.el, (safely) => curveEditor(given, safely)) };
