// The forking experiment: one network is trained up to the fork epoch, then two copies of it to the end.

const [MOMENTUM, DECAY] = [0.9, 1e-4];
export const ALPHAS = Array.from({ length: 25 }, (_, index) => index / 24);

// Trains a network in place through one epoch, in the order of the samples that the stream gives.
export function trainEpoch({ theta, velocity }, data, order, epoch, settings, memory) {
  const { learning_rate, batch_size, epochs } = settings;
  const steps = Math.ceil(order.length / batch_size);
  for (let step = 0; step < steps; step++) {
    const batch = order.subarray(step * batch_size, (step + 1) * batch_size);
    const rate = cosineRate(learning_rate, epoch * steps + step, epochs * steps);
    lossAndGradient(theta, data, batch, memory.gradient, memory.scratch);
    sgdStep(theta, velocity, memory.gradient, { rate, momentum: MOMENTUM, decay: DECAY });
  }
}

export function makeMemory(width) {
  return { gradient: new Float64Array(layout(width).parameters), scratch: makeScratch(width) };
}

// Changes the second copy: all weights or one of them, in standard deviations of the initialisation.
export function differ(theta, { width, difference, difference_size, seed }) {
  if (difference === "order") return;
  const spread = initialSpread(width);
  const random = randomStream(seed, 4);
  const normal = normalStream(random);
  const weights = [...spread.keys()].filter((index) => spread[index]);
  if (difference === "weight") {
    const chosen = weights[Math.floor(random() * weights.length)];
    theta[chosen] += difference_size * spread[chosen];
  } else {
    for (const index of weights) theta[index] += difference_size * spread[index] * normal();
  }
}

// Yields after each epoch one network before the fork and two from it on. The next epoch changes their arrays.
export function* forkedRun(settings) {
  const { width, epochs, fork_epoch, difference, seed } = settings;
  const data = makeData(settings);
  const memory = makeMemory(width);
  const theta = initialParameters(width, randomStream(seed, 3));
  const parent = { theta, velocity: new Float64Array(theta.length) };
  const orderOf = (stream, epoch) => shuffled(data.labels.length, randomStream(seed, 5, stream, epoch));
  for (let epoch = 0; epoch < fork_epoch; epoch++) {
    yield { epoch, data, networks: [parent.theta] };
    trainEpoch(parent, data, orderOf(0, epoch), epoch, settings, memory);
  }
  const point = parent.theta.slice();
  const copies = [parent, { theta: parent.theta.slice(), velocity: parent.velocity.slice() }];
  differ(copies[1].theta, settings);
  const networks = copies.map((copy) => copy.theta);
  for (let epoch = fork_epoch; epoch < epochs; epoch++) {
    yield { epoch, data, networks, point };
    copies.forEach((copy, index) =>
      trainEpoch(copy, data, orderOf(difference === "order" ? index + 1 : 0, epoch), epoch, settings, memory));
  }
  yield { epoch: epochs, data, networks, point };
}

// (1 - alpha) first + alpha second.
export function between(first, second, alpha) {
  return first.map((value, index) => (1 - alpha) * value + alpha * second[index]);
}

// Loss and error along the line between two networks, with the barriers of lmc_utils.measure.barriers: of the loss above
// the chord, of the error above the mean of the ends.
export function measureLine([first, second], data, scratch) {
  const points = ALPHAS.map((alpha) => evaluate(between(first, second, alpha), data, scratch));
  const [loss, error] = ["loss", "error"].map((name) => points.map((point) => point[name]));
  const chord = (alpha) => (1 - alpha) * loss[0] + alpha * loss.at(-1);
  return {
    loss,
    error,
    lossBarrier: Math.max(...loss.map((value, index) => value - chord(ALPHAS[index]))),
    errorBarrier: Math.max(...error) - (error[0] + error.at(-1)) / 2,
  };
}

// The probability of class 1 at the centres of side x side cells from -1.2 to 1.2, as bytes, row by row from the top.
export function decisionMap(theta, side, scratch) {
  const map = new Uint8Array(side * side);
  for (let row = 0, at = 0; row < side; row++) {
    const y = 1.2 - (2.4 * (row + 0.5)) / side;
    for (let column = 0; column < side; column++, at++) {
      const gap = logitGap(theta, (2.4 * (column + 0.5)) / side - 1.2, y, scratch);
      map[at] = Math.round(255 / (1 + Math.exp(-gap)));
    }
  }
  return map;
}

const dot = (one, other) => one.reduce((sum, value, index) => sum + value * other[index], 0);

// The loss on the plane through both copies and the fork point; null if they lie on one line. Copy 1 is the origin, and
// copy 2 lies on the first axis.
export function measurePlane([first, second], point, data, side, scratch) {
  const along = second.map((value, index) => value - first[index]);
  const length = Math.sqrt(dot(along, along));
  const away = point.map((value, index) => value - first[index]);
  const x = length ? dot(along, away) / length : 0;
  const across = away.map((value, index) => value - (x / (length || 1)) * along[index]);
  const y = Math.sqrt(dot(across, across));
  if (!(length > 1e-9 && y > 1e-9 * length)) return null;
  const corners = [[0, 0], [length, 0], [x, y]];
  const ends = [0, 1].map((axis) => {
    const places = corners.map((corner) => corner[axis]);
    return [Math.min(...places), Math.max(...places)];
  });
  const half = 0.7 * Math.max(...ends.map(([low, high]) => high - low));
  const [spanX, spanY] = ends.map(([low, high]) => [(low + high) / 2 - half, (low + high) / 2 + half]);
  const at = ([low, high], index) => low + ((high - low) * index) / (side - 1);
  const loss = new Float64Array(side * side);
  for (let row = 0; row < side; row++) {
    for (let column = 0; column < side; column++) {
      const [u, v] = [at(spanX, column) / length, at(spanY, row) / y];
      const theta = first.map((value, index) => value + u * along[index] + v * across[index]);
      loss[row * side + column] = evaluate(theta, data, scratch).loss;
    }
  }
  return { x: spanX, y: spanY, corners, loss };
}
