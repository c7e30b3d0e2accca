// A network with two inputs, two hidden layers of ReLU units and two outputs, in float64. Its parameters are one vector,
// laid out as in lmc_utils.networks: weight (inputs x outputs) and bias of each layer in turn.

export function layout(width) {
  const sizes = [2 * width, width, width * width, width, 2 * width, 2];
  const starts = sizes.map((_, index) => sizes.slice(0, index).reduce((sum, size) => sum + size, 0));
  return { starts, sizes, parameters: starts[5] + 2 };
}

// The standard deviation with which each parameter is initialised (He et al. 2015); biases begin at 0.
export function initialSpread(width) {
  const { starts, sizes, parameters } = layout(width);
  const spread = new Float64Array(parameters);
  [2, width, width].forEach((inputs, layer) => {
    const start = starts[2 * layer];
    spread.fill(Math.sqrt(2 / inputs), start, start + sizes[2 * layer]);
  });
  return spread;
}

export function initialParameters(width, random) {
  const normal = normalStream(random);
  return initialSpread(width).map((size) => (size ? size * normal() : 0));
}

// Working memory for one sample.
export function makeScratch(width) {
  const vector = () => new Float64Array(width);
  return { width, first: vector(), second: vector(), slopes: vector(), logits: new Float64Array(2) };
}

// out = bias + inputs W; units that are 0, about half of those after ReLU, need no time.
function affine(theta, weight, bias, inputs, out) {
  const [from, to] = [inputs.length, out.length];
  for (let unit = 0; unit < to; unit++) out[unit] = theta[bias + unit];
  for (let input = 0, at = weight; input < from; input++, at += to) {
    const value = inputs[input];
    if (value === 0) continue;
    for (let unit = 0; unit < to; unit++) out[unit] += value * theta[at + unit];
  }
}

function rectify(values) {
  for (let unit = 0; unit < values.length; unit++) if (!(values[unit] > 0)) values[unit] *= 0; // NaN stays NaN
}

// The difference of the two outputs, class 1 minus class 0, at a point.
export function logitGap(theta, x, y, scratch) {
  const { width, first, second, logits } = scratch;
  const hidden = 3 * width;
  const output = hidden + width * width + width;
  for (let unit = 0; unit < width; unit++)
    first[unit] = theta[2 * width + unit] + x * theta[unit] + y * theta[width + unit];
  rectify(first);
  affine(theta, hidden, hidden + width * width, first, second);
  rectify(second);
  affine(theta, output, output + 2 * width, second, logits);
  return logits[1] - logits[0];
}

// log(1 + exp(value)), without overflow.
const softplus = (value) => (value > 0 ? value + Math.log1p(Math.exp(-value)) : Math.log1p(Math.exp(value)));

// Mean cross-entropy and error in percent.
export function evaluate(theta, { inputs, labels }, scratch) {
  let [loss, wrong] = [0, 0];
  for (let index = 0; index < labels.length; index++) {
    const gap = logitGap(theta, inputs[2 * index], inputs[2 * index + 1], scratch);
    loss += softplus(labels[index] ? -gap : gap);
    if ((gap > 0 ? 1 : 0) !== labels[index]) wrong += 1;
  }
  return { loss: loss / labels.length, error: (100 * wrong) / labels.length };
}

// Mean cross-entropy of a batch; writes its gradient.
export function lossAndGradient(theta, { inputs, labels }, batch, gradient, scratch) {
  const { width, first, second, slopes } = scratch;
  const hidden = 3 * width;
  const hiddenBias = hidden + width * width;
  const output = hiddenBias + width;
  gradient.fill(0);
  let loss = 0;
  for (const index of batch) {
    const [x, y] = [inputs[2 * index], inputs[2 * index + 1]];
    const gap = logitGap(theta, x, y, scratch);
    const label = labels[index];
    loss += softplus(label ? -gap : gap);
    const slope = (1 / (1 + Math.exp(-gap)) - label) / batch.length; // of the loss in the second output; the first has the opposite
    gradient[output + 2 * width] -= slope;
    gradient[output + 2 * width + 1] += slope;
    for (let unit = 0; unit < width; unit++) {
      const at = output + 2 * unit;
      slopes[unit] = 0;
      if (second[unit] === 0) continue;
      gradient[at] -= slope * second[unit];
      gradient[at + 1] += slope * second[unit];
      slopes[unit] = slope * (theta[at + 1] - theta[at]);
      gradient[hiddenBias + unit] += slopes[unit];
    }
    for (let input = 0; input < width; input++) {
      const value = first[input];
      if (value === 0) continue;
      const at = hidden + input * width;
      let back = 0;
      for (let unit = 0; unit < width; unit++) {
        back += theta[at + unit] * slopes[unit];
        gradient[at + unit] += value * slopes[unit];
      }
      gradient[input] += back * x;
      gradient[width + input] += back * y;
      gradient[2 * width + input] += back;
    }
  }
  return loss / batch.length;
}

// One step of SGD with momentum and weight decay, as torch.optim.SGD takes it.
export function sgdStep(theta, velocity, gradient, { rate, momentum, decay }) {
  for (let index = 0; index < theta.length; index++) {
    velocity[index] = momentum * velocity[index] + gradient[index] + decay * theta[index];
    theta[index] -= rate * velocity[index];
  }
}

export const cosineRate = (rate, step, steps) => (rate * (1 + Math.cos((Math.PI * step) / steps))) / 2;
