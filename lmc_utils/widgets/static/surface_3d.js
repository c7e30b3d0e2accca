// A surface that can be rotated by dragging or with the arrow keys, drawn on a canvas without libraries.
//
// render({ model, el }): `model.get("scene")` comes from lmc_utils.widgets.surface_3d; `el` is the element to draw into.

const NEAR = { azimuth: -0.6, elevation: 0.65 };
const STEP = 0.1; // radians a key press
const HEIGHT = 0.55; // of the highest point, in units of the ground's half width

export function render({ model, el }) {
  const scene = model.get("scene");
  const view = { ...NEAR };
  let shown = 0;
  let grip = null;

  const canvas = document.createElement("canvas");
  canvas.className = "lmc-surface-canvas";
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "img");
  const choice = choose(scene.panels.map((panel) => panel.label), scene.name, (index) => {
    shown = index;
    draw();
  });
  const home = document.createElement("button");
  home.type = "button";
  home.textContent = "Reset view";
  home.addEventListener("click", () => turn(NEAR.azimuth - view.azimuth, NEAR.elevation - view.elevation));
  const bar = document.createElement("div");
  bar.className = "lmc-surface-bar";
  bar.append(choice, home);
  el.replaceChildren(bar, canvas);

  function turn(azimuth, elevation) {
    view.azimuth += azimuth;
    view.elevation = Math.min(Math.PI / 2, Math.max(0.05, view.elevation + elevation));
    draw();
  }

  canvas.addEventListener("keydown", (event) => {
    const turns = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, STEP], ArrowDown: [0, -STEP] };
    const by = turns[event.key];
    if (by) {
      turn(...by);
      event.preventDefault();
    }
  });
  canvas.addEventListener("pointerdown", (event) => {
    grip = [event.clientX, event.clientY];
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!grip) return;
    turn((event.clientX - grip[0]) / 120, (event.clientY - grip[1]) / 120);
    grip = [event.clientX, event.clientY];
  });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => (grip = null));

  function draw() {
    const size = fit(canvas);
    if (!size) return;
    const panel = scene.panels[shown];
    canvas.setAttribute("aria-label", `${panel.description} Turn it with the arrow keys.`);
    paint(canvas.getContext("2d"), size, scene, panel, view, getComputedStyle(canvas).color);
  }

  const resized = new ResizeObserver(draw);
  resized.observe(canvas);
  const recoloured = new MutationObserver(draw);
  recoloured.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme", "data-mode"] });
  draw();
  return () => [resized, recoloured].forEach((observer) => observer.disconnect());
}

function choose(labels, legend, pick) {
  const group = document.createElement("fieldset");
  const caption = document.createElement("legend");
  caption.textContent = legend;
  group.append(caption);
  const name = `lmc-surface-${Math.random().toString(36).slice(2)}`;
  labels.forEach((text, index) => {
    const label = document.createElement("label");
    const input = Object.assign(document.createElement("input"), { type: "radio", name, checked: index === 0 });
    input.addEventListener("change", () => pick(index));
    label.append(input, ` ${text}`);
    group.append(label);
  });
  return group;
}

function fit(canvas) {
  const { width, height } = canvas.getBoundingClientRect();
  if (!width || !height) return null;
  const dots = window.devicePixelRatio || 1;
  const [across, down] = [Math.round(width * dots), Math.round(height * dots)];
  if (canvas.width !== across) canvas.width = across;
  if (canvas.height !== down) canvas.height = down;
  canvas.getContext("2d").setTransform(dots, 0, 0, dots, 0, 0);
  return { width, height };
}

function paint(context, size, scene, panel, view, ink) {
  context.clearRect(0, 0, size.width, size.height);
  context.font = "13px system-ui, sans-serif";
  legend(context, scene, ink);
  const project = projection(size, panel, view, scene.range);
  const pieces = [...tiles(panel, project, scene), ...paths(panel, project)];
  pieces.sort((one, other) => other.depth - one.depth);
  for (const piece of pieces) piece.draw(context);
  context.textAlign = "center";
  panel.corners.forEach(([x, y], index) => {
    const spot = project(x, y, level(panel, x, y));
    context.fillStyle = ink;
    context.beginPath();
    context.arc(spot.across, spot.down, 4, 0, 2 * Math.PI);
    context.fill();
    context.lineWidth = 3;
    context.strokeStyle = "rgba(255, 255, 255, 0.8)";
    context.fillStyle = "#1d2230";
    context.strokeText(scene.corners[index], spot.across, spot.down - 9);
    context.fillText(scene.corners[index], spot.across, spot.down - 9);
  });
}

// Heights are logarithms; `range` is the lowest and the highest of all panels.
function projection(size, panel, view, [low, high]) {
  const { x, y } = panel;
  const middle = [(x[0] + x.at(-1)) / 2, (y[0] + y.at(-1)) / 2];
  const half = Math.max(x.at(-1) - x[0], y.at(-1) - y[0]) / 2;
  const scale = Math.min(size.width / 3.1, size.height / 2.5);
  const [sin, cos] = [Math.sin(view.azimuth), Math.cos(view.azimuth)];
  const [rise, lean] = [Math.cos(view.elevation), Math.sin(view.elevation)];
  return (px, py, pz) => {
    const [ax, ay] = [(px - middle[0]) / half, (py - middle[1]) / half];
    const az = 2 * HEIGHT * ((pz - low) / (high - low || 1) - 0.5);
    const back = ax * sin + ay * cos;
    return {
      across: size.width / 2 + scale * (ax * cos - ay * sin),
      down: size.height / 2 - scale * (back * lean + az * rise),
      depth: back * rise - az * lean,
    };
  };
}

function* tiles(panel, project, scene) {
  const { x, y, z } = panel;
  const spots = z.map((row, r) => row.map((height, c) => project(x[c], y[r], height)));
  for (let r = 0; r + 1 < y.length; r++) {
    for (let c = 0; c + 1 < x.length; c++) {
      const corners = [spots[r][c], spots[r][c + 1], spots[r + 1][c + 1], spots[r + 1][c]];
      const height = (z[r][c] + z[r][c + 1] + z[r + 1][c + 1] + z[r + 1][c]) / 4;
      const slope = (z[r + 1][c] + z[r + 1][c + 1] - z[r][c] - z[r][c + 1]) / 2;
      const colour = shade(scene, height, slope);
      yield {
        depth: corners.reduce((sum, spot) => sum + spot.depth, 0) / 4,
        draw(context) {
          context.beginPath();
          corners.forEach((spot) => context.lineTo(spot.across, spot.down));
          context.closePath();
          context.fillStyle = colour;
          context.strokeStyle = colour; // closes the seams between tiles
          context.lineWidth = 0.8;
          context.fill();
          context.stroke();
        },
      };
    }
  }
}

function* paths(panel, project) {
  const tile = 2 / (Math.min(panel.x.length, panel.y.length) - 1);
  for (const trajectory of panel.trajectories) {
    const spots = refine(trajectory, panel).map(([x, y]) => project(x, y, level(panel, x, y)));
    for (let step = 0; step + 1 < spots.length; step++) {
      const [from, to] = [spots[step], spots[step + 1]];
      yield {
        depth: (from.depth + to.depth) / 2 - tile, // before the tiles it lies on
        draw(context) {
          context.beginPath();
          context.moveTo(from.across, from.down);
          context.lineTo(to.across, to.down);
          context.strokeStyle = "white";
          context.lineWidth = 2.5;
          context.lineCap = "round";
          context.stroke();
        },
      };
    }
  }
}

// A trajectory in steps of at most half a tile, so that it follows the surface and can be hidden by it.
function refine(trajectory, { x, y }) {
  const most = Math.min(x[1] - x[0], y[1] - y[0]) / 2;
  return trajectory.flatMap((spot, index) => {
    const before = trajectory[index - 1];
    if (!before) return [spot];
    const parts = Math.max(1, Math.ceil(Math.hypot(spot[0] - before[0], spot[1] - before[1]) / most));
    const along = Array.from({ length: parts }, (_, part) => (part + 1) / parts);
    return along.map((part) => spot.map((end, axis) => before[axis] + part * (end - before[axis])));
  });
}

function shade(scene, height, slope) {
  const [low, high] = scene.range;
  const place = Math.round(((height - low) / (high - low || 1)) * (scene.colours.length - 1));
  const colour = scene.colours[Math.min(scene.colours.length - 1, Math.max(0, place))];
  const light = 1 - 0.35 * Math.tanh((6 * slope) / (high - low || 1));
  return `rgb(${colour.map((part) => Math.min(255, Math.round(part * light))).join(" ")})`;
}

// The height of the surface between grid points.
export function level(panel, px, py) {
  const [r, v] = within(panel.y, py);
  const [c, u] = within(panel.x, px);
  const { z } = panel;
  return (1 - v) * ((1 - u) * z[r][c] + u * z[r][c + 1]) + v * ((1 - u) * z[r + 1][c] + u * z[r + 1][c + 1]);
}

function within(ticks, value) {
  const place = ((value - ticks[0]) / (ticks.at(-1) - ticks[0])) * (ticks.length - 1);
  const tick = Math.min(ticks.length - 2, Math.max(0, Math.floor(place)));
  return [tick, Math.min(1, Math.max(0, place - tick))];
}

function legend(context, scene, ink) {
  const [left, top, width, height] = [4, 34, 10, 120];
  const [low, high] = scene.range;
  const colours = scene.colours;
  colours.forEach((colour, index) => {
    context.fillStyle = `rgb(${colour.join(" ")})`;
    context.fillRect(left, top + height * (1 - (index + 1) / colours.length), width, height / colours.length + 0.7);
  });
  context.fillStyle = ink;
  context.textAlign = "left";
  for (let decade = Math.ceil(low); decade <= high; decade++) {
    const down = top + height * (1 - (decade - low) / (high - low || 1));
    context.fillText(`${Number((10 ** decade).toPrecision(1))}`, left + width + 5, down + 4);
  }
  context.fillText(scene.unit, left, top - 8);
}
