// Runs the experiment in a worker: a message { settings, seeds, animated } is answered, for each seed, by the data, frames
// while it trains if animated, and the results.

const [MAP_SIDE, PLANE_SIDE] = [48, 25];
const FRAME = 50; // least milliseconds between frames
const ANIMATION = 1500; // least milliseconds of an animated run

export function describeState({ epoch, data, networks }, width) {
  const scratch = makeScratch(width);
  const pair = [networks[0], networks.at(-1)];
  const three = [pair[0], pair[1], between(...pair, 0.5)];
  return { epoch, maps: three.map((theta) => decisionMap(theta, MAP_SIDE, scratch)), ...measureLine(pair, data, scratch) };
}

export function finalResults({ networks, point, ...state }, { width }, withPlane = true) {
  const finite = networks.every((theta) => theta.every(Number.isFinite));
  const measured = finite && withPlane && point;
  const plane = measured ? measurePlane(networks, point, state.data, PLANE_SIDE, makeScratch(width)) : undefined;
  return { ...describeState({ networks, ...state }, width), finite, plane };
}

const pause = (time) => new Promise((resolve) => setTimeout(resolve, time));

async function work({ settings, seeds, animated }) {
  for (const seed of seeds) {
    const own = { ...settings, seed };
    postMessage({ seed, data: makeData(own) });
    let [began, due, state] = [performance.now(), 0, null];
    for (state of forkedRun(own)) {
      const finite = state.networks[0].every(Number.isFinite);
      if (!finite || state.epoch === own.epochs) break;
      if (!animated) continue;
      const early = began + (ANIMATION * state.epoch) / own.epochs - performance.now();
      if (early > 1) await pause(early);
      const now = performance.now();
      if (now < due) continue;
      postMessage({ seed, ...describeState(state, own.width) });
      due = Math.max(now + FRAME, 3 * performance.now() - 2 * now); // a third of the time
    }
    postMessage({ seed, done: true, ...finalResults(state, own, seed === seeds.at(-1)) });
  }
}

// Without seeds only the data.
const answer = async (given) => (given.seeds.length ? work(given) : postMessage({ data: makeData(given.settings) }));

if (typeof WorkerGlobalScope !== "undefined") {
  onmessage = ({ data }) => answer(data).catch((error) => postMessage({ failed: error.message }));
}
