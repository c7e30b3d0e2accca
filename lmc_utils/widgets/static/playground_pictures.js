// Pictures of the playground.

const CLASSES = [[1, 115, 178], [213, 94, 0]]; // blue and vermilion
const REACH = 1.2; // of the maps, in both directions from the middle

// Pale colours for the probability of class 1, from 0 to 255: white where the network is undecided.
const SHADES = Uint32Array.from({ length: 256 }, (_, byte) => {
  const certainty = Math.abs(byte - 127.5) / 127.5;
  const colour = CLASSES[byte > 127.5 ? 1 : 0].map((part) => Math.round(255 + (part - 255) * 0.6 * certainty));
  return new Uint32Array(Uint8Array.of(...colour, 255).buffer)[0];
});

// A map of what one network answers, with the training samples on it.
export function decisionPicture(name) {
  const canvas = html("canvas", { className: "lmc-decision" });
  const caption = html("figcaption", {}, name);
  const holder = html("figure", {}, canvas, caption);
  canvas.setAttribute("role", "img");
  let [samples, dots] = [null, null]; // of the picture of the samples

  function draw(map, data, error) {
    const side = Math.round(holder.clientWidth * Math.min(2, window.devicePixelRatio || 1));
    if (!side) return;
    if (canvas.width !== side) canvas.width = canvas.height = side;
    if (samples !== data || dots?.width !== side) [samples, dots] = [data, samplePicture(data, side)];
    const context = canvas.getContext("2d");
    context.clearRect(0, 0, side, side);
    if (map) context.drawImage(shaded(map), 0, 0, side, side);
    context.drawImage(dots, 0, 0);
    caption.textContent = error === undefined ? name : `${name}: ${error.toFixed(1)} % error`;
    canvas.setAttribute("aria-label", error === undefined ? `${name}: not yet trained`
      : `Answers of ${name} in the plane: ${error.toFixed(1)} % error`);
  }
  return { holder, draw };
}

function shaded(map) {
  const side = Math.sqrt(map.length);
  const small = html("canvas", { width: side, height: side });
  const pixels = Uint32Array.from(map, (byte) => SHADES[byte]);
  small.getContext("2d").putImageData(new ImageData(new Uint8ClampedArray(pixels.buffer), side, side), 0, 0);
  return small;
}

// Circles of class 0 and squares of class 1.
function samplePicture(data, side) {
  const canvas = html("canvas", { width: side, height: side });
  const context = canvas.getContext("2d");
  const scale = side / (2 * REACH);
  const radius = 0.7 + side / 160;
  context.strokeStyle = "white";
  context.lineWidth = radius / 4;
  data?.labels.forEach((label, index) => {
    const [x, y] = [(data.inputs[2 * index] + REACH) * scale, (REACH - data.inputs[2 * index + 1]) * scale];
    context.fillStyle = `rgb(${CLASSES[label].join(" ")})`;
    context.beginPath();
    if (label) context.rect(x - radius, y - radius, 2 * radius, 2 * radius);
    else context.arc(x, y, radius * 1.1, 0, 2 * Math.PI);
    context.fill();
    context.stroke();
  });
  return canvas;
}

function chartOf(height) {
  const picture = svg("svg", { class: "lmc-picture", role: "img" });
  const holder = html("div", {}, picture);
  function frame() {
    const width = holder.clientWidth;
    picture.setAttribute("width", width);
    picture.setAttribute("height", height);
    return width && [46, 30, width - 14, height - 50];
  }
  return { picture, holder, frame };
}

// Loss or error along the line between the copies, with the chord from which the barrier of the loss is measured.
export function lineChart(title, least) {
  const { picture, holder, frame } = chartOf(220);
  let top = least; // never shrinks while a run trains, so that the curve can be seen to fall

  function draw(values, fresh) {
    const box = frame();
    if (!box) return;
    if (fresh) top = least;
    const finite = values?.every(Number.isFinite);
    if (finite) top = Math.max(top, 1.05 * Math.max(...values));
    const [x, y] = [linear([0, 1], [box[0], box[2]]), linear([0, top], [box[3], box[1]])];
    const axes = [
      axis("left", y, ticks(0, top, 4), box, title),
      axis("bottom", x, [0, 0.5, 1], box, "α, from copy 1 to copy 2"),
    ];
    const label = (text) => picture.setAttribute("aria-label", `${title} along the line: ${text}`);
    if (!finite) {
      label("nothing yet");
      return picture.replaceChildren(...axes);
    }
    const spots = values.map((value, index) => [x(index / (values.length - 1)), y(value)]);
    picture.replaceChildren(...axes,
      path([spots[0], spots.at(-1)], { class: "lmc-chord" }),
      path(spots, { class: "lmc-train", stroke: "#0173b2" }));
    const middle = values[(values.length - 1) / 2];
    label(`${short(values[0])} at copy 1, ${short(middle)} at the midpoint, ${short(values.at(-1))} at copy 2`);
  }
  return { holder, draw };
}

// The error barrier by fork epoch: runs with the present settings in full, others faint.
export function barrierChart() {
  const { picture, holder, frame } = chartOf(260);

  function draw(runs, alike, epochs, latest) {
    const box = frame();
    if (!box) return;
    const top = 1.05 * Math.max(10, ...runs.map((run) => run.error_barrier));
    const right = Math.max(epochs, ...runs.map((run) => run.fork_epoch));
    const [x, y] = [linear([0, right], [box[0] + 8, box[2] - 8]), linear([0, top], [box[3], box[1]])];
    const dot = (run) => svg("circle", {
      cx: x(run.fork_epoch), cy: y(run.error_barrier), r: 4,
      class: `${alike(run) ? "lmc-run" : "lmc-other-run"}${run === latest ? " lmc-latest" : ""}`,
    });
    const sorted = [...runs].sort((one, other) => alike(one) - alike(other));
    picture.replaceChildren(
      axis("left", y, ticks(0, top, 5), box, "error barrier (percentage points)"),
      axis("bottom", x, ticks(0, right, 6), box, "fork epoch"),
      svg("line", { x1: box[0], x2: box[2], y1: y(2), y2: y(2), class: "lmc-two" }), ...sorted.map(dot));
    picture.setAttribute("aria-label", `Error barrier by fork epoch, ${runs.length} runs: ` +
      (summary(runs.filter(alike)).map(([fork, ...cells]) => `epoch ${fork}: ${cells[2]} points`).join("; ") || "none yet"));
  }
  return { holder, draw };
}

// For each fork epoch: the number of runs, those with a barrier over 2 points, and the mean barrier.
export function summary(runs) {
  const forks = [...new Set(runs.map((run) => run.fork_epoch))].sort((one, other) => one - other);
  return forks.map((fork) => {
    const barriers = runs.filter((run) => run.fork_epoch === fork).map((run) => run.error_barrier);
    const mean = barriers.reduce((sum, value) => sum + value, 0) / barriers.length;
    return [`${fork}`, `${barriers.length}`, `${barriers.filter((value) => value > 2).length}`, signed(mean, 1)];
  });
}

// The map of the loss on the plane through both copies and the fork point.
export function planePicture(ground) {
  const scene = { ground, third: "fork point" };
  const map = planeMap(scene);
  map.knob.setAttribute("display", "none");
  map.holder.setAttribute("role", "img");
  map.holder.setAttribute("aria-label", "Map of the loss");
  const scale = html("div", {});
  const note = html("p", { className: "lmc-fine" });
  const holder = html("div", { className: "lmc-mountain" }, html("div", {}, map.holder), scale, note);

  function draw(plane, reason) {
    map.show(plane);
    scale.hidden = !plane;
    note.textContent = plane ? "" : reason;
    const side = map.holder.clientWidth;
    if (!plane || !side) return;
    const logs = Array.from(plane.loss, (value) => Math.log10(Math.max(value, 1e-4)));
    const [low, high] = [Math.min(...logs), Math.max(...logs)];
    const bytes = logs.map((value) => Math.round((255 * (value - low)) / (high - low || 1)));
    scene.sides = [Math.sqrt(logs.length), Math.sqrt(logs.length)];
    map.paint({ ...plane, heights: btoa(String.fromCharCode(...bytes)) }, side);
    map.holder.setAttribute("aria-label", "Map of the loss on the plane through the fork point and both copies, from " +
      `${short(10 ** low, 2)} to ${short(10 ** high, 2)} nats`);
    scale.replaceChildren(colourScale({ ground, range: [10 ** low, 10 ** high] }));
  }
  return { holder, draw };
}
