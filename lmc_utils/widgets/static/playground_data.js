// Data sets in the plane with two classes, about from -1 to 1 on both axes.

export const DATA_SETS = {
  checkerboard(random) {
    const [x, y] = [4 * random(), 4 * random()];
    return [x / 2 - 1, y / 2 - 1, (Math.floor(x) + Math.floor(y)) % 2];
  },
  spirals(random, label, turns) {
    const along = Math.sqrt(random()); // equally dense along the arm
    const angle = 2 * Math.PI * turns * along + Math.PI * label;
    return [along * Math.cos(angle), along * Math.sin(angle), label];
  },
  moons(random, label) {
    const angle = Math.PI * random();
    const [x, y] = label ? [1 - Math.cos(angle), 0.5 - Math.sin(angle)] : [Math.cos(angle), Math.sin(angle)];
    return [(x - 0.5) / 1.5, (y - 0.25) / 1.5, label];
  },
  circles(random, label) {
    const [radius, angle] = [label ? 0.4 : 0.9, 2 * Math.PI * random()];
    return [radius * Math.cos(angle), radius * Math.sin(angle), label];
  },
};

// Coordinates x, y of each point in turn, and labels 0 or 1. Noise moves points, not labels; where the set does not
// determine the label, half of the points have each.
export function makeData({ data_set, points, noise, turns, seed }) {
  const random = randomStream(seed, 1);
  const normal = normalStream(randomStream(seed, 2));
  const inputs = new Float64Array(2 * points);
  const labels = new Uint8Array(points);
  for (let index = 0; index < points; index++) {
    const [x, y, label] = DATA_SETS[data_set](random, index % 2, turns);
    inputs[2 * index] = x + noise * normal();
    inputs[2 * index + 1] = y + noise * normal();
    labels[index] = label;
  }
  return { inputs, labels };
}
