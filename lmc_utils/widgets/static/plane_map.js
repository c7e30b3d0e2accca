// A map of the plane through two networks and a third point, with colours for the loss.

// One byte for each grid point, row by row from below.
function heightsOf(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

export function planeMap(scene) {
  const canvas = html("canvas", { className: "lmc-canvas" });
  const [curve, lines] = [svg("g"), svg("g")];
  const knob = svg("g", { class: "lmc-handle lmc-here" });
  knob.append(svg("circle", { r: 18, class: "lmc-grip" }), svg("circle", { r: 7 }));
  const over = svg("svg", { class: "lmc-over" }, curve, lines, knob);
  const holder = html("div", { className: "lmc-map lmc-plane" }, canvas, over);
  let [side, across, down, back, corners] = [0, null, null, null, null];

  // The same scale for both axes, so that angles are preserved; the grid is centred.
  function aim(plane) {
    const spans = [plane.x, plane.y].map(([low, high]) => high - low);
    const half = Math.max(...spans) / 2;
    const [x, y] = [plane.x, plane.y].map(([low, high]) => (low + high) / 2);
    const [wide, high] = [[x - half, x + half], [y - half, y + half]];
    [across, down] = [linear(wide, [0, side]), linear(high, [side, 0])];
    back = { across: linear([0, side], wide), down: linear([side, 0], high) };
    corners = plane.corners;
  }

  // For each pixel of one axis the grid point before it and the fraction of a cell; null outside the grid.
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

  // Hidden if there is no plane, because the three points lie on one line.
  function show(plane) {
    holder.hidden = !plane;
  }

  function stand(place) {
    const [x, y] = spot(place);
    knob.setAttribute("transform", `translate(${x.toFixed(2)} ${y.toFixed(2)})`);
  }

  // The position on the plane under a position on the screen.
  function placeAt({ clientX, clientY }) {
    const box = over.getBoundingClientRect();
    const at = [((clientX - box.left) / box.width) * side, ((clientY - box.top) / box.height) * side];
    return [back.across(at[0]), back.down(at[1])];
  }

  return { holder, knob, curve, paint, show, spot, stand, placeAt };
}

export function colourScale({ ground, range: [low, high] }) {
  const ramp = html("div", { className: "lmc-ramp" });
  ramp.style.background = `linear-gradient(to right, ${ground.map((colour) => `rgb(${colour.join(" ")})`).join(", ")})`;
  const words = [short(low, 2), "training loss (nats), log", short(high, 2)].map((text) => html("span", {}, text));
  const ends = html("div", { className: "lmc-ends-of-scale" }, ...words);
  return html("div", { className: "lmc-scale" }, ramp, ends);
}
