// Difference explorer: how far two siblings are apart, and the error between them, at each epoch after the fork.

const DIFFERENCE_PARTS = ["differences", "forks", "epochs", "alphas", "colours", "distance", "error", "barrier"];
const CHART_SIZE = 290; // height of each of the two charts
const PLAYING = { whole: 6000, least: 80, most: 400 }; // milliseconds: all epochs, and the limits of one

// Whole decades around all positive values.
export function decadesAround(values) {
  const positive = values.filter((value) => value > 0);
  if (!positive.length) return [1, 10];
  const low = Math.floor(Math.log10(Math.min(...positive)));
  return [10 ** low, 10 ** Math.max(low + 1, Math.ceil(Math.log10(Math.max(...positive))))];
}

function differenceExplorer({ model, el }, safely) {
  const scene = readScene(model, DIFFERENCE_PARTS);
  const { epochs, alphas } = scene;
  const last = epochs.length - 1;
  let [fork, difference, epoch] = [0, 0, last]; // indices
  let [width, timer, scales] = [0, null, null];

  const first = () => epochs.findIndex((each) => each >= scene.forks[fork]);
  const series = (quantity, index = difference) => scene[quantity][index][fork]; // one value for each epoch since the fork
  const measured = () => scene.differences.map((_, index) => index).filter((index) => series("distance", index));

  const differences = choice("Difference", scene.differences, safely((value) => {
    difference = value;
    draw();
  }));
  const forks = choice("Fork epoch", scene.forks.map(String), safely((value) => {
    fork = value;
    draw();
  }));
  const playButton = button("Play", safely(() => (timer ? pause() : play())), "lmc-main lmc-play");
  const epochSlider = slider("Epoch", { min: 0, max: last, step: 1, value: last }, (index) => short(epochs[index]),
    safely((index) => goTo(index)));
  epochSlider.classList.add("lmc-alpha");
  const input = epochSlider.querySelector("input");
  const [growth, line] = ["lmc-picture lmc-line", "lmc-picture"].map((names) => svg("svg", { class: names, role: "img" }));
  const [growthMarks, lineMarks] = [svg("g"), svg("g")];
  const status = announced(html("p", { className: "lmc-status" }));
  const numbers = html("div", { className: "lmc-numbers" });
  const growthKey = lineLegend([["train", "this difference"], ["others", "the others, at the same fork"]]);
  const lineKey = lineLegend([["train", "this epoch"], ["others", "earlier epochs"], ["barrier", "midpoint barrier"]]);
  const definition = "Midpoint barrier: the training error at the midpoint of the line minus the mean of the siblings' errors.";
  el.replaceChildren(
    html("div", { className: "lmc-figure" },
      html("div", { className: "lmc-bar" }, differences.label, forks.label),
      html("div", { className: "lmc-slider" }, playButton, epochSlider),
      html("div", { className: "lmc-columns" },
        html("div", {}, growthKey, growth), html("div", {}, lineKey, line)),
      status, numbers, html("p", { className: "lmc-fine" }, definition),
      ...(scene.caption ? [html("p", {}, scene.caption)] : [])));

  function draw() {
    if (!width) return;
    const offered = measured();
    [...differences.select.options].forEach((option, index) => (option.disabled = !offered.includes(index)));
    if (!offered.includes(difference)) difference = offered[0];
    differences.select.value = difference;
    epoch = Math.max(epoch, first());
    input.min = first();
    for (const key of [growthKey, lineKey]) key.querySelector(".lmc-train").style.borderColor = forkInk(scene.colours[fork]);
    const room = growth.parentElement.clientWidth;
    const box = [52, 30, room - 14, CHART_SIZE - 50];
    scales = { box, growth: growthChart(room, box), line: lineChart(room, box) };
    step();
  }

  function picture(target, room, ...parts) {
    target.setAttribute("width", room);
    target.setAttribute("height", CHART_SIZE);
    target.replaceChildren(...parts);
  }

  const ink = () => `stroke: ${forkInk(scene.colours[fork])}`;

  // Points of a curve of distances up to an epoch; a distance of 0 has no place on a logarithmic axis.
  const spots = ({ x, y }, index, end = last) => series("distance", index).slice(0, end - first() + 1)
    .map((value, at) => (value > 0 ? [x(epochs[first() + at]), y(value)] : null));

  function growthChart(room, box) {
    const [low, high] = decadesAround(scene.distance.flat(2)); // the same for all forks, so that they can be compared
    const ends = [box[0], box[2]];
    const [x, back] = [linear([epochs[0], epochs[last]], ends), linear(ends, [epochs[0], epochs[last]])];
    const rise = linear([low, high].map(Math.log10), [box[3], box[1]]);
    const scale = { x, back, y: (value) => rise(Math.log10(value)) };
    picture(growth, room,
      axis("left", scale.y, decades(low, high), box, "distance between the siblings, log"),
      axis("bottom", x, ticks(epochs[0], epochs[last], 5), box, "epoch of training"),
      ...measured().filter((index) => index !== difference).map((index) =>
        path(spots(scale, index), { class: "lmc-others" })),
      path(spots(scale, difference), { class: "lmc-train lmc-ahead", style: ink() }), growthMarks);
    return scale;
  }

  function lineChart(room, box) {
    const all = measured().flatMap((index) => series("error", index)).flat(); // all differences on one scale
    const [least, most] = [Math.min(0, ...all), Math.max(...all)];
    const x = linear([alphas[0], alphas.at(-1)], [box[0], box[2]]);
    const y = linear([least, most * 1.05 || 1], [box[3], box[1]]);
    picture(line, room,
      axis("left", y, ticks(least, most, 5), box, "training error (%)"),
      axis("bottom", x, [0, 0.5, 1], box, "α, from one sibling to the other"), lineMarks);
    return { x, y };
  }

  function step() {
    if (!width) return;
    const since = epoch - first();
    const label = short(epochs[epoch]);
    input.value = epoch;
    epochSlider.querySelector("output").textContent = label;
    input.setAttribute("aria-valuetext", label);

    const { x, y } = scales.growth;
    const distance = series("distance")[since];
    const here = distance > 0 ? [svg("circle", { cx: x(epochs[epoch]), cy: y(distance), r: 5, class: "lmc-dot" })] : [];
    growthMarks.replaceChildren(
      svg("line", { x1: x(epochs[epoch]), x2: x(epochs[epoch]), y1: scales.box[1], y2: scales.box[3], class: "lmc-plumb" }),
      path(spots(scales.growth, difference, epoch), { class: "lmc-train", style: ink() }), ...here);

    const errors = series("error");
    const curve = (values, properties) =>
      path(values.map((value, at) => [scales.line.x(alphas[at]), scales.line.y(value)]), properties);
    lineMarks.replaceChildren(
      ...errors.slice(0, since).map((values) => curve(values, { class: "lmc-others" })),
      curve(errors[since], { class: "lmc-train", style: ink() }), barrierLine(errors[since]));
    describe(short(distance), signed(series("barrier")[since], 1), label);
    table(since);
  }

  // From the mean of the siblings' errors up, or down, to the error at the midpoint.
  function barrierLine(values) {
    const at = (alpha) => values[alphas.findIndex((each) => Math.abs(each - alpha) < 1e-6)];
    const middle = scales.line.x(0.5);
    const [y1, y2] = [(at(0) + at(1)) / 2, at(0.5)].map(scales.line.y);
    return svg("g", { class: "lmc-barrier" }, svg("line", { x1: middle, x2: middle, y1, y2 }),
      svg("circle", { cx: middle, cy: y2, r: 4 }));
  }

  function describe(distance, barrier, label) {
    const chosen = `${scene.differences[difference]}, fork at epoch ${scene.forks[fork]}`;
    status.textContent = `Epoch ${label}: distance ${distance}, midpoint barrier ${barrier} points.`;
    growth.setAttribute("aria-label", `Distance between the siblings by epoch: ${chosen}; ${distance} at epoch ${label}`);
    const along = "Training error along the line between the siblings";
    line.setAttribute("aria-label", `${along}: ${chosen}; midpoint barrier ${barrier} points at epoch ${label}`);
  }

  function table(since) {
    const rows = measured().map((index) =>
      [scene.differences[index], short(series("distance", index)[since]), signed(series("barrier", index)[since], 1)]);
    const title = `at epoch ${short(epochs[epoch])}`;
    const made = numbersTable([title, "distance", "midpoint barrier (points)"], rows);
    made.tBodies[0].rows[measured().indexOf(difference)].setAttribute("aria-current", "true");
    numbers.replaceChildren(made);
  }

  function goTo(index) {
    if (timer) pause();
    epoch = Math.min(last, Math.max(first(), index));
    step();
  }

  // Epochs change at once, without a transition, so this respects a preference for reduced motion.
  function play() {
    if (epoch === last) epoch = first();
    playButton.textContent = "Pause";
    status.setAttribute("aria-live", "off"); // else each epoch would be read out
    const pace = Math.min(PLAYING.most, Math.max(PLAYING.least, PLAYING.whole / (last - first() || 1)));
    timer = setInterval(safely(() => {
      epoch = Math.min(last, epoch + 1);
      if (epoch === last) pause();
      else step();
    }), pace);
    step();
  }

  function pause() {
    clearInterval(timer);
    timer = null;
    playButton.textContent = "Play";
    status.setAttribute("aria-live", "polite");
    step();
  }

  const nearest = (when) => epochs.reduce((best, each, index) =>
    (Math.abs(each - when) < Math.abs(epochs[best] - when) ? index : best), 0);
  follow(growth, safely(({ clientX }) => goTo(nearest(scales.growth.back(clientX - growth.getBoundingClientRect().left)))));
  const stop = onResize(el, safely((now) => {
    width = now;
    draw();
  }));
  return () => {
    stop();
    clearInterval(timer);
  };
}

export default { render: (given) => guarded(given.el, (safely) => differenceExplorer(given, safely)) };
