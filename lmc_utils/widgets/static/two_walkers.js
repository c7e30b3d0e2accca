// Two walkers: a pair of siblings on one landscape, and how often pairs end with a barrier between them.

const SWEEP = [0, 20, 40, 60, 80, 100];
const CHUNK = 12; // milliseconds of computation between updates of the page
const SECONDS = 4; // of the animation of a pair

function settingsOf(model) {
  const whole = (low) => (value) => Number.isInteger(value) && value >= low;
  const solutions = model.get("solutions");
  const point = (one) => Array.isArray(one) && one.length === 2 && one.every(Number.isFinite);
  if (!Array.isArray(solutions) || solutions.length < 2 || !solutions.every(point))
    throw new Error(`solutions must be at least two points in the plane (got ${JSON.stringify(solutions)})`);
  const colours = model.get("colours");
  if (!Array.isArray(colours) || !colours.length) throw new Error("colours must be a list of colours");
  const land = landscapeUnits(solutions);
  if (!(land.height > 0)) throw new Error("solutions must be distinct points, with barriers between them");
  return {
    land,
    colours,
    walk: {
      steps: number(model, "steps", whole(1), "a whole number >= 1"),
      step_size: number(model, "step_size", (value) => value > 0, "> 0"),
      temperature: number(model, "temperature", (value) => value >= 0, ">= 0"),
      cooling: number(model, "cooling", (value) => value > 0, "> 0"),
      seed: number(model, "seed", whole(0), "a whole number >= 0"),
    },
  };
}

const percent = (fraction) => `${Math.round(100 * fraction)} %`;

function twoWalkers({ model, el }, safely) {
  let { land, colours, walk } = settingsOf(model);
  let map = landscapeMap(land, colours);
  let fork = 40;
  let moving = null; // the pair on the screen: how to finish it, and the next frame
  let working = null; // the timer of a count in progress

  const verdict = html("p", { className: "lmc-verdict" });
  const table = html("div", {});
  const tally = announced(html("div", { className: "lmc-tally" }, verdict, table));
  const picture = svg("svg", { class: "lmc-picture" });
  picture.setAttribute("role", "img");
  const progress = html("progress", { max: 1, value: 0, hidden: true, ariaLabel: "Counting pairs" });
  const buttons = [
    button("Walk", safely(() => walkOnce()), "lmc-main"),
    button("Walk 100 times", safely(() => count([{ at: fork, left: 100 }], true))),
    button("Sweep", safely(() => count(SWEEP.map((at) => ({ at, left: 60 })), false))),
    button("Start over", safely(() => forget())),
  ];
  buttons[2].title = `60 pairs at each of ${SWEEP.join(", ")} %`;
  const choice = slider("Fork after", { min: 0, max: 100, step: 5, value: fork },
    (value) => `${value} % of the run`, safely((value) => {
      finish();
      fork = value;
      map.clear();
      verdict.textContent = "";
      show();
    }));
  const place = html("div", { className: "lmc-place" });
  el.replaceChildren(
    html("div", { className: "lmc-figure" }, choice,
      html("div", { className: "lmc-bar" }, ...buttons, progress),
      html("div", { className: "lmc-columns" }, place,
        html("div", { className: "lmc-results" }, tally, html("h4", {}, "Your results so far"), picture))));
  place.append(map.holder, map.scale);

  const results = () => (Array.isArray(model.get("tally")) ? model.get("tally") : []);
  const at = (when) => results().find((row) => row.fork === when) ?? { fork: when, pairs: 0, apart: 0, ridge: 0 };

  function note(rows) {
    const others = results().filter((row) => !rows.some((each) => each.fork === row.fork));
    model.set("tally", [...others, ...rows].sort((one, other) => one.fork - other.fork));
    model.save_changes();
    show();
  }

  function add(row, pair) {
    const { apart, ridge } = outcome(land, pair.ends);
    return { fork: row.fork, pairs: row.pairs + 1, apart: row.apart + apart, ridge: row.ridge + ridge };
  }

  // Pairs are numbered from 0 at each fork time, so that equal seeds give equal pairs in equal order.
  const next = (row, keep) => walkPair(land, walk, { fork: row.fork / 100, pair: row.pairs, keep });

  function walkOnce() {
    finish();
    map.clear();
    verdict.textContent = "";
    const pair = next(at(fork), true);
    const end = () => {
      moving = null;
      map.walkTo(pair.path, pair.at, walk.steps);
      const { apart, ridge } = outcome(land, pair.ends);
      verdict.textContent = `They end in ${apart ? "different valleys" : "the same valley"}, with ` +
        `${ridge ? "a ridge" : "no ridge"} between them.`;
      note([add(at(fork), pair)]);
    };
    if (window.matchMedia("(prefers-reduced-motion: reduce)").matches) return end();
    const began = performance.now();
    const frame = safely((now) => {
      const fraction = Math.max(0, now - began) / (1000 * SECONDS);
      if (fraction >= 1) return end();
      map.walkTo(pair.path, pair.at, Math.floor(fraction * walk.steps));
      moving.frame = requestAnimationFrame(frame);
    });
    moving = { end, frame: requestAnimationFrame(frame) };
  }

  function finish() {
    if (!moving) return;
    cancelAnimationFrame(moving.frame);
    moving.end();
  }

  function count(jobs, drawn) {
    finish();
    map.clear();
    verdict.textContent = "";
    const all = jobs.reduce((sum, job) => sum + job.left, 0);
    const rows = jobs.map((job) => at(job.at));
    let [job, done] = [0, 0];
    busy(true);
    const chunk = safely(() => {
      const began = performance.now();
      const ends = [];
      while (job < jobs.length && performance.now() - began < CHUNK) {
        const pair = next(rows[job], false);
        rows[job] = add(rows[job], pair);
        ends.push(pair.ends);
        done += 1;
        if (--jobs[job].left === 0) job += 1;
      }
      if (drawn) map.ends(ends);
      progress.value = done / all;
      working = job < jobs.length ? setTimeout(chunk) : null;
      if (working) return;
      busy(false);
      note(rows);
    });
    chunk();
  }

  function busy(yes) {
    progress.hidden = !yes;
    for (const one of [...buttons, choice.querySelector("input")]) one.disabled = yes;
  }

  function forget() {
    finish();
    map.clear();
    verdict.textContent = "";
    model.set("tally", []);
    model.save_changes();
    show();
  }

  function show() {
    const row = at(fork);
    const line = (text, hits) => {
      const [low, high] = wilsonInterval(hits / row.pairs, row.pairs);
      const cells = [`${hits} of ${row.pairs}`, percent(hits / row.pairs), `${percent(low)} to ${percent(high)}`];
      const head = html("th", { scope: "row" }, text);
      return html("tr", {}, head, ...cells.map((cell) => html("td", {}, cell)));
    };
    const heads = ["", "pairs", "fraction", "95 % interval"].map((text) => html("th", { scope: "col" }, text));
    const title = `Fork after ${fork} % of the run`;
    table.replaceChildren(row.pairs
      ? html("table", {}, html("caption", {}, title), html("thead", {}, html("tr", {}, ...heads)),
        html("tbody", {}, line("different valleys", row.apart), line("a ridge between", row.ridge)))
      : html("p", {}, `${title}: no pairs yet.`));
    chart();
  }

  function chart() {
    const width = picture.parentElement.clientWidth;
    if (!width) return;
    const height = 230;
    const box = [52, 30, width - 14, height - 54];
    const [x, y] = [linear([0, 100], [box[0] + 8, box[2] - 8]), linear([0, 1], [box[3], box[1]])];
    picture.setAttribute("width", width);
    picture.setAttribute("height", height);
    const rows = results();
    picture.setAttribute("aria-label", "Fraction of pairs with a ridge between them, against the fork time: " +
      (rows.map((row) => `${row.fork} %: ${row.ridge} of ${row.pairs}`).join("; ") || "nothing yet"));
    const label = (value) => `${Math.round(value)} %`;
    picture.replaceChildren(
      axis("left", y, [0, 0.25, 0.5, 0.75, 1], box, "pairs with a ridge between them", percent),
      axis("bottom", x, [0, 20, 40, 60, 80, 100], box, "fork time (% of the run)", label),
      path(rows.map((row) => [x(row.fork), y(row.ridge / row.pairs)]), { class: "lmc-trend" }),
      ...rows.map((row) => {
        const [low, high] = wilsonInterval(row.ridge / row.pairs, row.pairs);
        return svg("g", { class: `lmc-result${row.fork === fork ? " lmc-now" : ""}` },
          svg("line", { x1: x(row.fork), x2: x(row.fork), y1: y(low), y2: y(high) }),
          svg("circle", { cx: x(row.fork), cy: y(row.ridge / row.pairs), r: row.fork === fork ? 5 : 4 }));
      }));
  }

  function draw() {
    map.paint(map.holder.clientWidth);
    show();
  }

  const renew = safely(() => {
    finish();
    ({ land, colours, walk } = settingsOf(model));
    map = landscapeMap(land, colours);
    place.replaceChildren(map.holder, map.scale);
    draw();
  });
  const parts = ["solutions", "colours", "steps", "step_size", "temperature", "cooling", "seed"];
  const changes = [...parts.map((name) => [`change:${name}`, renew]), ["change:tally", safely(show)]];
  for (const [name, react] of changes) model.on(name, react);
  const stop = onResize(el, safely(draw));
  return () => {
    stop();
    clearTimeout(working);
    if (moving) cancelAnimationFrame(moving.frame);
    for (const [name, react] of changes) model.off(name, react);
  };
}

export default { render: (given) => guarded(given.el, (safely) => twoWalkers(given, safely)) };
