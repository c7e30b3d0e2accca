// Settings of the playground: their controls, and links that hold them.

const RATES = [0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.15, 0.2, 0.3, 0.5, 1, 3];
const SIZES = [0, 1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.1, 1];
const DIFFERENCES = { order: "order of the samples", noise: "noise on all weights", weight: "one weight" };

// The settings that a mapping from names to numbers or texts gives, the others as in `start`; throws an error that says
// which value is not allowed.
export function checkedSettings(given, start, limits) {
  const found = { ...start };
  for (const [name, raw] of Object.entries(given)) {
    const limit = Object.hasOwn(limits, name) && limits[name];
    if (!limit) throw new Error(`unknown setting: ${name}`);
    const value = limit.choices || String(raw).trim() === "" ? raw : Number(raw);
    const holds = limit.choices ? limit.choices.includes(value)
      : Number.isFinite(value) && value >= limit.low && value <= limit.high && (!limit.whole || Number.isInteger(value));
    const allowed = limit.choices ? limit.choices.join(", ")
      : `a ${limit.whole ? "whole " : ""}number between ${limit.low} and ${limit.high}`;
    if (!holds) throw new Error(`${name} must be ${limit.choices ? "one of " : ""}${allowed} (got ${raw})`);
    found[name] = value;
  }
  if (found.fork_epoch > found.epochs)
    throw new Error(`fork_epoch must be at most epochs, ${found.epochs} (got ${found.fork_epoch})`);
  return found;
}

export const toLink = (settings) => `#${new URLSearchParams(settings)}`;

// The settings that the fragment of an address names; null if it is something else, such as the name of a section.
export function fromLink(fragment) {
  const text = fragment.replace(/^#/, "");
  return text.includes("=") ? Object.fromEntries(new URLSearchParams(text)) : null;
}

// A choice of values, with the present one among them.
function valueChoice(text, values, value, say, changed) {
  const all = values.includes(value) ? values : [...values, value].sort((one, other) => one - other);
  const { label, select } = choice(text, all.map(say), (index) => changed(all[index]));
  select.value = all.indexOf(value);
  return label;
}

// The names of settings that change nothing, with `false` for those that do.
export const withoutEffect = ({ data_set, difference }) =>
  [data_set !== "spirals" && "turns", difference === "order" && "difference_size"];

// Returns the controls that are always visible, and the others.
export function settingsControls(settings, limits, change) {
  const ranged = (text, name, step, max = limits[name].high) => slider(text,
    { min: limits[name].low, max, step, value: settings[name] }, (value) => `${value}`, (value) => change(name, value));
  const named = (text, name, titles) => {
    const keys = limits[name].choices;
    return valueChoice(text, keys, settings[name], (key) => titles?.[key] ?? key, (key) => change(name, key));
  };
  const fork = ranged("Fork epoch", "fork_epoch", 1, settings.epochs);
  const turns = ranged("Turns of a spiral", "turns", 0.25);
  const size = valueChoice("Size of the difference", SIZES, settings.difference_size,
    (value) => short(value), (value) => change("difference_size", value));
  const first = [named("Data set", "data_set"), fork];
  const further = [
    turns,
    ranged("Training samples", "points", 10),
    ranged("Noise on coordinates", "noise", 0.01),
    ranged("Width of hidden layers", "width", 4),
    valueChoice("Learning rate", RATES, settings.learning_rate, (value) => short(value), (value) => change("learning_rate", value)),
    ranged("Batch size", "batch_size", 1),
    ranged("Epochs", "epochs", 1),
    named("The copies differ in", "difference", DIFFERENCES),
    size,
    seedInput(settings, limits, change),
  ];

  // Settings without effect are hidden; there is no fork after the last epoch.
  function adapt(now) {
    [turns.hidden, size.hidden] = withoutEffect(now).map(Boolean);
    const [input, output] = [fork.querySelector("input"), fork.querySelector("output")];
    input.max = now.epochs;
    input.value = now.fork_epoch;
    input.ariaValueText = output.textContent = now.fork_epoch;
  }
  adapt(settings);
  return { first, further, adapt };
}

function seedInput({ seed }, { seed: { low, high } }, change) {
  const input = html("input", { type: "number", min: low, max: high, step: 1, value: seed });
  input.addEventListener("change", () => {
    if (input.value !== "" && input.checkValidity()) change("seed", (seed = Number(input.value)));
    else input.value = seed;
  });
  return html("label", {}, "Seed ", input);
}
