// Playground: train a small network in a worker, fork it, and measure the line between the two copies.

const CHANCE = 0.95 * Math.log(2); // a loss above this is hardly better than guessing
const COPIES = ["Copy 1", "Average", "Copy 2"];

function playground({ model, el }, safely) {
  const { limits, engine, ground, link } = readScene(model, ["limits", "engine", "ground"]);
  const start = checkedSettings(model.get("settings"), {}, limits);
  let settings = start;
  let [worker, busy] = [null, false];
  let [data, shown] = [null, null]; // the samples, and the state on the screen
  let fresh = true; // whether the scale of the charts begins anew
  let frame = null;
  let left = 0; // runs that are not yet finished

  const maps = COPIES.map(decisionPicture);
  const charts = { loss: lineChart("loss (nats)", 0.8), error: lineChart("error (%)", 20) };
  const [barriers, mountain] = [barrierChart(), planePicture(ground)];
  const status = announced(html("p", { className: "lmc-status" }));
  const numbers = html("div", { className: "lmc-numbers" });
  const linked = html("input", { type: "text", readOnly: true, hidden: true, ariaLabel: "Link to these settings" });
  const main = button("Train and fork", safely(() => (busy ? stop() : train([settings.seed], true))), "lmc-main lmc-play");
  const ten = button("Make ten more", safely(() => train(nextSeeds(), false)));
  const buttons = [main, ten, button("Reset", safely(reset)),
    ...(link ? [button("Link to these settings", safely(showLink))] : [])];
  const [first, further] = [html("div", {}), html("div", {})];
  const more = html("details", {}, html("summary", {}, "More settings"), further);
  let controls = null;

  el.replaceChildren(html("div", { className: "lmc-figure lmc-playground" }, first,
    more, html("div", { className: "lmc-bar" }, ...buttons), linked, status,
    html("div", { className: "lmc-three" }, ...maps.map((map) => map.holder)),
    html("div", { className: "lmc-columns" }, charts.error.holder, charts.loss.holder),
    html("div", { className: "lmc-columns" },
      html("div", {}, html("h2", {}, "The barrier in all of your runs"), barriers.holder, numbers),
      html("div", {}, html("h2", {}, "The loss around the fork point and both copies"), mountain.holder))));

  function build() {
    controls = settingsControls(settings, limits, safely(change));
    first.replaceChildren(...controls.first);
    further.replaceChildren(...controls.further);
  }

  function change(name, value) {
    settings = { ...settings, [name]: value };
    settings.fork_epoch = Math.min(settings.fork_epoch, settings.epochs);
    controls.adapt(settings);
    take();
    unlink();
  }

  // New settings clear the screen.
  function take() {
    stop();
    shown = null;
    model.set("settings", settings);
    model.save_changes();
    status.textContent = "";
    linked.hidden = true;
    send({ settings, seeds: [] });
    draw();
  }

  function reset() {
    settings = start;
    keep([]);
    build();
    take();
    unlink();
  }

  // The address holds only settings that are on the screen.
  function unlink() {
    if (link && fromLink(location.hash)) history.replaceState(null, "", location.pathname + location.search);
  }

  function keep(runs) {
    model.set("runs", runs);
    model.save_changes();
  }

  function showLink() {
    history.replaceState(null, "", toLink(settings));
    linked.value = location.href;
    linked.hidden = false;
    linked.select();
    navigator.clipboard?.writeText(linked.value).catch(() => {}); // without permission it can still be copied by hand
  }

  // Settings in the address; a link that is not valid is reported and otherwise ignored.
  function follow() {
    const given = fromLink(location.hash);
    if (!given) return;
    try {
      settings = checkedSettings(given, start, limits);
    } catch (error) {
      stop();
      status.textContent = `The settings in this link are not valid: ${error.message}.`;
      return;
    }
    build();
    take();
    more.open ||= Object.keys(given).some((name) => !["data_set", "fork_epoch"].includes(name));
  }

  const key = (run) => JSON.stringify(Object.keys(limits).map((name) =>
    ["fork_epoch", "seed", ...withoutEffect(run)].includes(name) || run[name]));
  const alike = (run) => key(run) === key(settings);

  function nextSeeds() {
    const like = (run) => alike(run) && run.fork_epoch === settings.fork_epoch;
    const used = model.get("runs").filter(like).map((run) => run.seed);
    const from = Math.max(settings.seed - 1, ...used) + 1;
    return Array.from({ length: 10 }, (_, index) => from + index);
  }

  function send(task) {
    worker ??= startWorker(engine, safely(receive));
    worker.postMessage(task);
  }

  function train(seeds, animated) {
    stop();
    busy = true;
    main.textContent = "Stop";
    status.setAttribute("aria-live", "off"); // else each epoch would be read out
    status.textContent = "Training …";
    fresh = true;
    left = seeds.length;
    const still = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    send({ settings, seeds, animated: animated && !still });
  }

  function stop() {
    if (!busy) return;
    worker.terminate();
    worker = null;
    status.textContent = "Stopped.";
    rest();
  }

  function rest() {
    busy = false;
    main.textContent = "Train and fork";
    status.setAttribute("aria-live", "polite");
  }

  function receive(message) {
    if (message.failed) throw new Error(message.failed);
    if (message.data) data = message.data;
    if (message.maps) shown = message;
    if (message.done) finish(message);
    else if (message.maps) {
      const stage = message.epoch < settings.fork_epoch ? "one network" : "two copies";
      status.textContent = `Epoch ${message.epoch} of ${settings.epochs}: ${stage}.`;
    }
    frame ??= requestAnimationFrame(safely(() => {
      frame = null;
      draw();
    }));
  }

  function finish(result) {
    left -= 1;
    if (result.finite) {
      const { seed, errorBarrier, lossBarrier } = result;
      keep([...model.get("runs"), { ...settings, seed, error_barrier: errorBarrier, loss_barrier: lossBarrier }]);
    }
    if (left) {
      status.textContent = `${left} more runs …`;
      return;
    }
    rest();
    status.textContent = verdict(result);
  }

  function verdict({ finite, error, loss, errorBarrier, lossBarrier }) {
    if (!finite) return "Training diverged (NaN or infinite weights). Choose a lower learning rate.";
    const ends = `${error[0].toFixed(1)} % and ${error.at(-1).toFixed(1)} %`;
    if (Math.max(loss[0], loss.at(-1)) > CHANCE) {
      return `A copy has learned almost nothing: the errors are ${ends}, and guessing gives about 50 %. ` +
        "The learning rate is too high or too low, or training too short.";
    }
    const averaged = error[(error.length - 1) / 2].toFixed(1);
    return `Fork at epoch ${settings.fork_epoch}: the copies have errors of ${ends}, and their average ${averaged} %. ` +
      `The barrier is ${signed(errorBarrier, 1)} points of error and ` +
      `${short(lossBarrier < 1e-9 ? 0 : lossBarrier)} nats of loss.`;
  }

  function draw() {
    const errors = shown ? [shown.error[0], shown.error[(shown.error.length - 1) / 2], shown.error.at(-1)] : [];
    const pictures = shown ? [shown.maps[0], shown.maps[2], shown.maps[1]] : [];
    maps.forEach((map, index) => map.draw(pictures[index], data, errors[index]));
    for (const name of ["loss", "error"]) charts[name].draw(shown?.[name], fresh);
    fresh = false;
    if (busy && shown && !shown.done) return; // the others only change at the end of a run
    const runs = model.get("runs");
    barriers.draw(runs, alike, settings.epochs, shown?.finite && runs.at(-1));
    const rows = summary(runs.filter(alike));
    numbers.replaceChildren(...(rows.length
      ? [numbersTable(["fork epoch", "runs", "over 2 points", "mean barrier"], rows)] : []));
    mountain.draw(shown?.plane,
      shown?.plane === null ? "There is no plane: the fork point and both copies lie on one line."
      : shown?.finite === false ? "Training diverged." : "Drawn at the end of the last run.");
  }

  const followed = safely(() => {
    follow();
    if (fromLink(location.hash)) el.scrollIntoView();
  });
  build();
  send({ settings, seeds: [] });
  if (link) {
    follow();
    window.addEventListener("hashchange", followed);
  }
  const fromPython = safely(() => {
    const given = model.get("settings");
    if (JSON.stringify(given) === JSON.stringify(settings)) return;
    settings = checkedSettings(given, start, limits);
    build();
    take();
  });
  model.on("change:settings", fromPython);
  const unobserve = onResize(el, safely(draw));
  return () => {
    unobserve();
    window.removeEventListener("hashchange", followed);
    worker?.terminate();
    cancelAnimationFrame(frame);
    model.off("change:settings", fromPython);
  };
}

// A page that lies on a disk may load neither a file nor a module into a worker.
function startWorker(text, receive) {
  const script = new Blob([text.replace(/^export /gm, "")], { type: "text/javascript" });
  const worker = new Worker(URL.createObjectURL(script));
  worker.addEventListener("message", ({ data }) => receive(data));
  worker.addEventListener("error", (event) => receive({ failed: event.message || "its worker did not start" }));
  return worker;
}

export default { render: (given) => guarded(given.el, (safely) => playground(given, safely)) };
