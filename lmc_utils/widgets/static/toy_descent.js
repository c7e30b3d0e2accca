// Pairs of siblings that descend a landscape in the plane, as in toy.descent, and their outcome.

// Uniform random numbers in [0, 1): mulberry32, seeded by a hash of a list of integers.
export function uniform(...key) {
  let state = 0x9e3779b9;
  for (const part of key) {
    state = Math.imul(state ^ part, 0x85ebca6b);
    state = Math.imul(state ^ (state >>> 13), 0xc2b2ae35);
    state ^= state >>> 16;
  }
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

// Standard normal random numbers (Box-Muller), two from each pair of uniform ones.
export function normal(...key) {
  const draw = uniform(...key);
  let kept = null;
  return () => {
    if (kept !== null) {
      const last = kept;
      kept = null;
      return last;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - draw()));
    const angle = 2 * Math.PI * draw();
    kept = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  };
}

// Units of a landscape, and its solutions in units of length; the same for all pairs.
export function landscapeUnits(solutions) {
  const [length, height] = units(solutions);
  const scaled = solutions.map((solution) => solution.map((part) => part / length));
  return { solutions, length, height, scaled, steepness: height / length ** (2 * solutions.length) };
}

export function startOf(seed, pair, solutions) {
  const draw = normal(seed, 2, pair);
  return [0, 1].map((axis) => {
    const parts = solutions.map((solution) => solution[axis]);
    const mean = parts.reduce((sum, part) => sum + part, 0) / parts.length;
    const square = parts.reduce((sum, part) => sum + (part - mean) ** 2, 0) / parts.length;
    return mean + Math.sqrt(square) * draw();
  });
}

// One parent and one sibling, with common noise until the fork (a fraction of the run) and independent noise after it.
// `walk`: steps, step_size, temperature, cooling, seed. The `path` has four numbers a step: parent, sibling.
export function walkPair(land, walk, { fork, pair, start = startOf(walk.seed, pair, land.solutions), keep = false }) {
  const { steps, step_size, temperature, cooling, seed } = walk;
  const at = Math.round(fork * steps);
  const shared = normal(seed, 3, pair);
  const own = normal(seed, 4, pair, at);
  const place = [...start, ...start].map((part) => part / land.length);
  const path = keep ? new Float64Array(4 * (steps + 1)) : null;
  const slope = [0, 0];
  const follow = (walker, heat, draw) => {
    clippedSlope(place[walker], place[walker + 1], land.scaled, land.steepness, slope);
    place[walker] += heat * draw() - step_size * slope[0];
    place[walker + 1] += heat * draw() - step_size * slope[1];
  };
  for (let step = 0; step < steps; step++) {
    if (keep) path.set(place, 4 * step);
    const heat = Math.sqrt(2 * step_size * temperature * (1 - step / steps) ** cooling);
    follow(0, heat, shared);
    if (step >= at) follow(2, heat, own);
    else [place[2], place[3]] = place;
  }
  if (keep) path.set(place, 4 * steps);
  if (!place.every(Number.isFinite)) throw new Error(`step_size must be smaller (got ${step_size})`);
  const ends = place.map((part) => part * land.length);
  return { ends: [ends.slice(0, 2), ends.slice(2)], at, path: path?.map((part) => part * land.length) };
}

export const RIDGE = 0.1; // of the median barrier: smallest height that counts as a ridge

// The outcome of a pair: whether it ends in different valleys, and with a ridge between them.
export function outcome(land, [first, second]) {
  return {
    apart: nearest(first, land.solutions) !== nearest(second, land.solutions),
    ridge: barrierBetween(first, second, land.solutions, land.height) > RIDGE,
  };
}

// 95 % interval of a fraction (Wilson, 1927), as in toy.descent.wilson_interval.
export function wilsonInterval(fraction, n, z = 1.959963984540054) {
  const centre = (fraction + z ** 2 / (2 * n)) / (1 + z ** 2 / n);
  const half = (z / (1 + z ** 2 / n)) * Math.sqrt((fraction * (1 - fraction)) / n + z ** 2 / (4 * n ** 2));
  return [Math.min(fraction, Math.max(0, centre - half)), Math.max(fraction, Math.min(1, centre + half))];
}
