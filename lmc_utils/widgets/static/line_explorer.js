// Line explorer: loss, error and the position on a plane along the line from one sibling to the other.

const PARTS = ["alphas", "forks", "pairs", "splits", "colours", "ground", "range", "sides", "third"];
const HEIGHT = 205; // of each of the two charts
const SPLITS = { train: "training" }; // in words
const QUANTITIES = [
  ["loss", "loss (nats)", 3],
  ["error", "error (%)", 1],
];

// The value at alpha, interpolated linearly between measured neighbours.
export function interpolate(alphas, values, alpha) {
  const right = Math.max(1, alphas.findIndex((each) => each >= alpha));
  const fraction = (alpha - alphas[right - 1]) / (alphas[right] - alphas[right - 1]);
  return (1 - fraction) * values[right - 1] + fraction * values[right];
}

// The value at alpha, and its height above the chord between the siblings.
export function valueAboveChord(alphas, values, alpha) {
  const [first, second, here] = [0, 1, alpha].map((place) => interpolate(alphas, values, place));
  return { here, above: here - (1 - alpha) * first - alpha * second };
}

function onLine(alpha, [first, second]) {
  return [0, 1].map((axis) => (1 - alpha) * first[axis] + alpha * second[axis]);
}

// The alpha of the point on the line nearest to a position on the plane.
function nearestAlpha(place, [first, second]) {
  const direction = [0, 1].map((axis) => second[axis] - first[axis]);
  const dot = (one, other) => one[0] * other[0] + one[1] * other[1];
  return dot([place[0] - first[0], place[1] - first[1]], direction) / dot(direction, direction);
}

function lineExplorer({ model, el }, safely) {
  const scene = readScene(model, PARTS);
  let [fork, pair, alpha] = [0, 0, 0.5];
  let width = 0;

  const [low, high] = [scene.alphas[0], scene.alphas.at(-1)];
  const clamp = (value) => Math.min(high, Math.max(low, Math.round(value * 100) / 100));
  const ground = planeMap(scene);
  const forks = choice("Fork epoch", scene.forks.map(String), safely((value) => pick(value, pair)));
  const pairs = choice("Siblings", scene.pairs, safely((value) => pick(fork, value)));
  const slide = safely((value) => {
    alpha = clamp(value);
    step();
  });
  const alphaSlider = slider("α", { min: low, max: high, step: 0.01, value: alpha }, (value) => short(value), slide);
  alphaSlider.classList.add("lmc-alpha");
  const input = alphaSlider.querySelector("input");
  const pictures = QUANTITIES.map(() => svg("svg", { class: "lmc-picture lmc-line", role: "img" }));
  const marks = QUANTITIES.map(() => svg("g"));
  const numbers = html("div", { className: "lmc-numbers" });
  const status = announced(html("p", { className: "lmc-status" }));
  ground.holder.setAttribute("role", "img");
  const place = html("div", { className: "lmc-place" }, ground.holder, colourScale(scene), status);
  const sets = scene.splits.map((split) => [split, `${SPLITS[split] ?? split} set`]);
  const key = lineLegend([...sets, ["chord", "chord between the siblings"]]);
  const resolution = `Measured at ${scene.alphas.length} values of α; between them, straight lines.`;
  el.replaceChildren(
    html("div", { className: "lmc-figure" },
      html("div", { className: "lmc-bar" }, forks.label, pairs.label), alphaSlider,
      html("div", { className: "lmc-columns" }, place, html("div", {}, key, ...pictures)), numbers,
      html("p", { className: "lmc-fine" }, resolution)));

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
    const colour = forkInk(scene.colours[fork]);
    picture.replaceChildren(
      axis("left", y, ticks(least, most, 3), box, title),
      axis("bottom", x, [0, 0.5, 1].filter((tick) => tick >= low && tick <= high), box, "α"),
      ...scene.splits.flatMap((split, index) => {
        const values = curve(quantity, index);
        const chord = [0, 1].map((end) => [x(end), y(interpolate(scene.alphas, values, end))]);
        const points = scene.alphas.map((each, at) => [x(each), y(values[at])]);
        const curved = path(points, { class: `lmc-${split}`, style: `stroke: ${colour}` });
        return [path(chord, { class: "lmc-chord" }), curved];
      }), mark);
    return { x, back, y, box };
  }

  function step() {
    if (!width) return;
    input.value = alpha;
    alphaSlider.querySelector("output").textContent = short(alpha);
    input.setAttribute("aria-valuetext", short(alpha));
    const read = QUANTITIES.map(([quantity, , digits], index) => {
      const { x, y, box } = scales[index];
      const found = scene.splits.map((_, split) => valueAboveChord(scene.alphas, curve(quantity, split), alpha));
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

  function table(read) {
    const titles = ["", ...QUANTITIES.flatMap(([, title]) => [title, "above the chord"])];
    const rows = scene.splits.map((split, index) => {
      const cells = QUANTITIES.flatMap(([, , digits], which) => {
        const { here, above } = read[which][index];
        return [here, above].map((value) => signed(value, digits));
      });
      return [split, ...cells];
    });
    numbers.replaceChildren(numbersTable(titles, rows));
  }

  function locate() {
    if (!plane()) {
      status.textContent = "These siblings and their fork point lie on one line: there is no plane to show.";
      return;
    }
    const place = onLine(alpha, plane().corners);
    ground.stand(place);
    const along = short(place[0]);
    const apart = short(plane().corners[1][0]);
    status.textContent = `On the plane: ${along} from sibling 1 along the line; the siblings are ${apart} apart.`;
    const map = `Map of the training loss on the plane through both siblings and the ${scene.third}.`;
    ground.holder.setAttribute("aria-label", `${map} ${status.textContent}`);
  }

  const go = (alphaAt) => safely((event) => {
    alpha = clamp(alphaAt(event));
    step();
  });
  follow(ground.holder, go((event) => nearestAlpha(ground.placeAt(event), plane().corners)));
  pictures.forEach((picture, index) =>
    follow(picture, go(({ clientX }) => scales[index].back(clientX - picture.getBoundingClientRect().left))));
  return onResize(el, safely((now) => {
    width = now;
    draw();
  }));
}

export default { render: (given) => guarded(given.el, (safely) => lineExplorer(given, safely)) };
