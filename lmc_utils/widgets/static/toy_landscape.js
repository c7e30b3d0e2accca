// The landscapes of toy: the same formulas in JavaScript. There are at most a dozen minima near the
// origin, so that plain products suffice, without a separate exponent.

export const MAX_GRADIENT = 20;

// f, f' and f'' of f(theta) = prod_i (theta - theta_i*)^2.
export function landscape(theta, roots) {
  let [p, slope, bend] = [1, 0, 0];
  for (const root of roots) {
    const gap = theta - root;
    bend = bend * gap + 2 * slope;
    slope = slope * gap + p;
    p *= gap;
  }
  return [p * p, 2 * p * slope, 2 * (slope * slope + p * bend)];
}

// Position and height of the top of the ridge between each two neighbours; 0 between equal minima.
export function ridges(roots) {
  const sorted = [...roots].sort((one, other) => one - other);
  return sorted.slice(1).map((right, index) => {
    const left = sorted[index];
    const width = right - left;
    let [low, high] = [0, width > 0 ? 1 : 0];
    for (let halving = 0; halving < 54; halving++) {
      const middle = (low + high) / 2;
      let rise = 0; // of ln |p|, which falls from plus to minus infinity
      for (const root of sorted) rise += 1 / (left - root + middle * width);
      if (rise >= 0) low = middle;
      if (rise <= 0) high = middle;
    }
    const along = ((low + high) / 2) * width;
    const height = sorted.reduce((product, root) => product * (left - root + along) ** 2, 1);
    return { left, right, top: left + along, height: width > 0 ? height : 0 };
  });
}

// The poster's approximation of the barrier from the curvature at both ends.
export function secondOrder(theta1, theta2, alpha, roots) {
  const [first, second] = [landscape(theta1, roots)[2], landscape(theta2, roots)[2]];
  return ((alpha * (1 - alpha)) / 2) * (theta2 - theta1) ** 2 * (alpha * first + (1 - alpha) * second);
}

// Its largest value over alpha; as in toy.approximation_factors, without subtracting nearly equal numbers.
export function secondOrderHeight(theta1, theta2, roots) {
  const [first, second] = [landscape(theta1, roots)[2], landscape(theta2, roots)[2]];
  const discriminant = Math.sqrt(first ** 2 - first * second + second ** 2);
  const steep = first > 2 * second;
  const above = steep ? discriminant + first - 2 * second : second;
  const below = steep ? 3 * (first - second) : discriminant - first + 2 * second;
  return below > 0 ? secondOrder(theta1, theta2, above / below, roots) : 0;
}

export function onInterval(m, low = -1, high = 1) {
  return Array.from({ length: m }, (_, index) => low + ((high - low) * index) / (m - 1));
}

export function chebyshev(m, low = -1, high = 1) {
  const zeros = Array.from({ length: m }, (_, index) => Math.sin((Math.PI / (2 * m)) * (1 - m + 2 * index)));
  return zeros.map((zero) => (low + high) / 2 + (zero * (high - low)) / 2);
}

// The isotropic product in the plane, f(theta) = prod_i ||theta - theta_i*||^2.
export function field(x, y, roots) {
  let product = 1;
  for (const [east, north] of roots) product *= (x - east) ** 2 + (y - north) ** 2;
  return product;
}

export function fieldGradient(x, y, roots, into = [0, 0]) {
  let [f, across, up] = [1, 0, 0];
  for (const [east, north] of roots) {
    const [dx, dy] = [x - east, y - north];
    const square = dx * dx + dy * dy;
    across = square * across + 2 * f * dx;
    up = square * up + 2 * f * dy;
    f *= square;
  }
  [into[0], into[1]] = [across, up];
  return into;
}

function median(numbers) {
  const sorted = [...numbers].sort((one, other) => one - other);
  const half = Math.floor(sorted.length / 2);
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

// Height of the barrier on the straight line between two points, on 41 alphas as in toy.descent.sibling_barriers.
export function barrierBetween(first, second, roots, height = 1) {
  const [low, high] = [field(...first, roots), field(...second, roots)];
  let most = 0;
  for (let part = 0; part <= 40; part++) {
    const a = part / 40;
    const [x, y] = [0, 1].map((axis) => (1 - a) * first[axis] + a * second[axis]);
    most = Math.max(most, field(x, y, roots) - (1 - a) * low - a * high);
  }
  return most / height;
}

export function nearest(point, roots) {
  const distances = roots.map((root) => Math.hypot(point[0] - root[0], point[1] - root[1]));
  return distances.indexOf(Math.min(...distances));
}

// The median distance between nearest solutions and the median barrier on the line between them.
export function units(roots) {
  const others = roots.map((_, index) => roots.filter((_, other) => other !== index));
  const near = roots.map((root, index) => others[index][nearest(root, others[index])]);
  const distances = roots.map((root, index) => Math.hypot(root[0] - near[index][0], root[1] - near[index][1]));
  return [median(distances), median(roots.map((root, index) => barrierBetween(root, near[index], roots)))];
}

// The gradient in units of height over length, at places in units of length, at most MAX_GRADIENT long.
export function clippedSlope(x, y, solutions, height, into = [0, 0]) {
  fieldGradient(x, y, solutions, into);
  const long = Math.hypot(into[0], into[1]) / height;
  const scale = Math.min(1, MAX_GRADIENT / Math.max(long, MAX_GRADIENT)) / height;
  into[0] *= scale;
  into[1] *= scale;
  return into;
}
