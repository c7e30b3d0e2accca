// Runs the experiment in a worker. A message is { settings, seeds, animated }; the answers are the data, frames while it
// trains if it is animated, and the results at the end, for each seed in turn.

const [MAP_SIDE, PLANE_SIDE] = [48, 33];
const FRAME = 40; // least milliseconds between frames
const ANIMATION = 1500; // least milliseconds of an animated run

export function describeState({ epoch, data, networks }, width) {
  const scratch = makeScratch(width);
  const pair = [networks[0], networks.at(-1)];
  const three = [pair[0], pair[1], between(...pair, 0.5)];
  return { epoch, maps: three.map((theta) => decisionMap(theta, MAP_SIDE, scratch)), ...measureLine(pair, data, scratch) };
}

export function finalResults(state, settings) {
  const finite = state.networks.every((theta) => theta.every(Number.isFinite));
  const scratch = makeScratch(settings.width);
  const plane = finite && state.point ? measurePlane(state.networks, state.point, state.data, PLANE_SIDE, scratch) : null;
  return { ...describeState(state, settings.width), finite, plane };
}

const pause = (time) => new Promise((resolve) => setTimeout(resolve, time));

async function work({ settings, seeds, animated }) {
  for (const seed of seeds) {
    const own = { ...settings, seed };
    postMessage({ seed, data: makeData(own) });
    let [began, frame, state] = [performance.now(), 0, null];
    for (state of forkedRun(own)) {
      const finite = state.networks[0].every(Number.isFinite);
      if (!finite || state.epoch === own.epochs) break;
      if (!animated) continue;
      const early = began + (ANIMATION * state.epoch) / own.epochs - performance.now();
      if (early > 1) await pause(early);
      if (performance.now() - frame < FRAME) continue;
      frame = performance.now();
      postMessage({ seed, ...describeState(state, own.width) });
    }
    postMessage({ seed, done: true, ...finalResults(state, own) });
  }
}

// Without seeds only the data are wanted.
const answer = async (given) => (given.seeds.length ? work(given) : postMessage({ data: makeData(given.settings) }));

if (typeof WorkerGlobalScope !== "undefined") {
  onmessage = ({ data }) => answer(data).catch((error) => postMessage({ failed: error.message }));
}
