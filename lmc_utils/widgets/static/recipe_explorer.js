// Recipe explorer: the line between siblings, the statistic of a claim and its verdict, for a recipe and a claim.

const RECIPE_PARTS = ["recipes", "forks", "alphas", "colours", "errors", "heights", "claims", "results"];
const RECIPE_CHART = 290; // height of each of the two charts
const VERDICTS = { holds: "✓", fails: "✗", "cannot tell": "?" };
const UPWARDS = ["above", "at least"];

// A number that was rounded before, with all its digits.
export function exact(value) {
  return short(value, 15);
}

// The part of the numbers that all rules allow: [low, high], infinite without a bound.
export function allowedRange(rules) {
  const bounds = (up) => rules.filter(([side]) => UPWARDS.includes(side) === up).map(([, bound]) => bound);
  return [Math.max(...bounds(true)), Math.min(...bounds(false))];
}

// Limits of an axis around all values, with a margin on both sides.
export function aroundValues(values) {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const margin = 0.09 * (most - least) || Math.abs(most) || 1;
  return [least - margin, most + margin];
}

const withUnit = (text, unit) => (unit ? `${text} ${unit}` : text);
const fromTo = (low, high) => `${exact(low)} to ${exact(high)}`;
const requirement = (rules) => rules.map(([side, bound]) => `${side} ${exact(bound)}`).join(" and ");

// The verdict, its numbers, and why it differs from what the interval alone says, in words.
export function verdictWords(recipe, unit, { outcome, alone, estimate, low, high }) {
  const verdict = { holds: "This holds", fails: "This fails", "cannot tell": "We cannot tell" }[outcome];
  const interval = low === null ? "without an interval" : `95 % interval ${fromTo(low, high)}`;
  const numbers = estimate === null ? "there is no estimate" : `${withUnit(exact(estimate), unit)}, ${interval}`;
  const extent = alone === "holds" ? "The whole interval" : "No part of the interval";
  const why = `. ${extent} is allowed, but the verdict is corrected for the number of tests.`;
  return [verdict, ` for ${recipe}: ${numbers}`, outcome === alone ? "." : why];
}

function recipeExplorer({ model, el }, safely) {
  const scene = readScene(model, RECIPE_PARTS);
  const { alphas, recipes } = scene;
  let [claim, recipe, width] = [0, 0, 0];
  let wanted = recipe; // chosen last; another one is shown for claims that are not about it

  const result = (index = recipe) => scene.results[claim][index];
  const offered = () => recipes.map((_, index) => index).filter((index) => result(index));
  const values = () => result().values.filter((value) => value !== null);

  const claims = choice("Claim", scene.claims.map(({ statement }) => statement), safely((value) => {
    claim = value;
    draw();
  }));
  claims.label.className = "lmc-long";
  const pick = safely((value) => {
    wanted = value;
    draw();
  });
  const choices = choice("Recipe", recipes, pick);
  const group = `lmc-recipe-${Math.random().toString(36).slice(2)}`; // two figures on a page must not share it
  const marks = recipes.map((_, index) => {
    const input = html("input", { type: "radio", name: group, value: index });
    input.addEventListener("change", () => pick(index));
    return { input, label: html("label", { className: "lmc-outcome" }, input, html("span", { className: "lmc-mark" })) };
  });
  const verdicts = html("div", { className: "lmc-outcomes" }, ...marks.map(({ label }) => label));
  verdicts.setAttribute("role", "radiogroup");
  verdicts.setAttribute("aria-label", "Verdicts of this claim; choose a recipe");
  const counts = html("p", { className: "lmc-key" });
  const [line, statistic] = [0, 1].map(() => svg("svg", { class: "lmc-picture", role: "img" }));
  const lineKey = lineLegend(scene.forks.map((fork) => ["train", `${fork} fork`]));
  const statisticKey = html("p", { className: "lmc-key" });
  const status = announced(html("p", { className: "lmc-status" }));
  const [lineNumbers, statisticNumbers] = [0, 1].map(() => html("div", { className: "lmc-numbers" }));
  const definition = "Midpoint barrier: the training error at the midpoint of the line minus the mean of the siblings' errors. "
    + "All recipes share one scale of the error; that of the statistic fits the chosen recipe and the bounds.";
  el.replaceChildren(
    html("div", { className: "lmc-figure lmc-recipes" },
      html("div", { className: "lmc-bar" }, claims.label, choices.label), counts, verdicts,
      html("div", { className: "lmc-columns" },
        html("div", {}, lineKey, line), html("div", {}, statisticKey, statistic)),
      status, html("div", { className: "lmc-columns" }, lineNumbers, statisticNumbers),
      html("p", { className: "lmc-fine" }, definition),
      ...(scene.caption ? [html("p", {}, scene.caption)] : [])));

  function draw() {
    if (!width) return;
    recipe = result(wanted) ? wanted : offered()[0];
    choices.select.value = recipe;
    [...choices.select.options].forEach((option, index) => (option.disabled = !result(index)));
    showVerdicts();
    [...lineKey.querySelectorAll("i")].forEach((key, fork) => (key.style.borderColor = forkInk(scene.colours[fork])));
    const room = line.parentElement.clientWidth;
    const box = [52, 30, room - 14, RECIPE_CHART - 50];
    drawLine(room, box);
    drawStatistic(room, box);
    describe();
    showNumbers();
  }

  function showVerdicts() {
    marks.forEach(({ input, label }, index) => {
      const outcome = result(index)?.outcome;
      label.hidden = input.disabled = !outcome;
      input.checked = index === recipe;
      if (!outcome) return;
      label.dataset.outcome = outcome;
      label.title = `${recipes[index]}: ${outcome}`;
      label.lastChild.textContent = VERDICTS[outcome];
      input.setAttribute("aria-label", label.title);
    });
    const found = offered().map((index) => result(index).outcome);
    counts.replaceChildren(found.length === 1 ? "Verdict for one recipe:" : `Verdicts for ${found.length} recipes:`,
      ...Object.entries(VERDICTS).map(([outcome, mark]) => {
        const many = found.filter((each) => each === outcome).length;
        const entry = html("span", {}, html("b", { className: "lmc-mark", textContent: mark }), `${outcome}: ${many}`);
        entry.dataset.outcome = outcome;
        return entry;
      }));
  }

  function picture(target, room, ...parts) {
    target.setAttribute("width", room);
    target.setAttribute("height", RECIPE_CHART);
    target.replaceChildren(...parts);
  }

  function drawLine(room, box) {
    const most = Math.max(0, ...scene.errors.flat(2).filter((value) => value !== null)); // one scale for all recipes
    const x = linear([alphas[0], alphas.at(-1)], [box[0], box[2]]);
    const y = linear([0, most * 1.05 || 1], [box[3], box[1]]);
    const curves = scene.errors[recipe].map((errors, fork) => errors && path(
      errors.map((value, at) => [x(alphas[at]), y(value)]),
      { class: "lmc-train", style: `stroke: ${forkInk(scene.colours[fork])}` })).filter(Boolean);
    picture(line, room,
      axis("left", y, ticks(0, most, 5), box, "training error (%)"),
      axis("bottom", x, [0, 0.5, 1], box, "α, from one sibling to the other"),
      ...(curves.length ? curves : [note(box, "not measured")]));
  }

  const note = ([left, top, right, bottom], text) =>
    svg("text", { x: (left + right) / 2, y: (top + bottom) / 2, "text-anchor": "middle" }, text);

  function drawStatistic(room, box) {
    const { axis: label, rules } = scene.claims[claim];
    const { estimate, low, high } = result();
    const bounds = rules.map(([, bound]) => bound);
    const shown = [...values(), estimate, low, high].filter((value) => value !== null);
    const [least, most] = aroundValues([...shown, ...bounds]);
    const y = linear([least, most], [box[3], box[1]]);
    const x = linear([0, 1], [box[0], box[2]]);
    const [lowest, highest] = allowedRange(rules).map((bound) => y(Math.min(most, Math.max(least, bound))));
    const across = (value, kind) => svg("line", { x1: box[0], x2: box[2], y1: y(value), y2: y(value), class: kind });
    const all = result().values;
    const spread = linear([0, Math.max(1, all.length - 1)], [0.06, 0.7]);
    const dots = all.map((value, index) => value !== null
      && svg("circle", { cx: x(spread(index)), cy: y(value), r: 4, class: "lmc-parent" })).filter(Boolean);
    const place = dots.length ? 0.87 : 0.5; // of the estimate
    const labels = new Map([...(dots.length ? [[0.38, "parents"]] : []), ...(estimate === null ? [] : [[place, "estimate"]])]);
    const strokes = low === null ? [] : [[low, high, 0], [low, low, 6], [high, high, 6]]; // the interval and its caps
    const interval = strokes.map(([from, to, half]) =>
      svg("line", { x1: x(place) - half, x2: x(place) + half, y1: y(from), y2: y(to), class: "lmc-estimate" }));
    picture(statistic, room,
      svg("rect", { x: box[0], width: box[2] - box[0], y: highest, height: lowest - highest, class: "lmc-allowed" }),
      axis("left", y, ticks(least, most, 5), box, label),
      axis("bottom", x, [...labels.keys()], box, "", (at) => labels.get(at)),
      ...bounds.map((bound) => across(bound, "lmc-bound")), ...dots, ...interval,
      ...(estimate === null ? [] : [svg("circle", { cx: x(place), cy: y(estimate), r: 5, class: "lmc-estimate" })]),
      ...(shown.length ? [] : [note(box, "no values")]));
    const key = lineLegend([...(dots.length ? [["parent", "one parent"]] : []), ["estimate", "estimate, 95 % interval"],
      ["bound", rules.length === 1 ? "bound" : "bounds"], ["allowed", "allowed"]]);
    statisticKey.replaceChildren(...key.childNodes);
  }

  function describe() {
    const { statement, unit, rules } = scene.claims[claim];
    const [verdict, numbers, why] = verdictWords(recipes[recipe], unit, result());
    status.replaceChildren(`${statement} `, html("strong", {}, verdict), numbers, why);
    const barriers = scene.heights[recipe].map((heights, fork) =>
      `${scene.forks[fork]} fork ${heights ? `${signed(heights[2], 1)} points` : "not measured"}`);
    const along = `Training error along the line between siblings of ${recipes[recipe]}`;
    line.setAttribute("aria-label", `${along}; midpoint barrier: ${barriers.join(", ")}`);
    const found = values();
    const range = found.length && fromTo(Math.min(...found), Math.max(...found));
    const parents = found.length ? `${found.length} parents from ${range}` : "no value for each parent";
    statistic.setAttribute("aria-label", `Statistic of the claim${numbers}; ${parents}; allowed: ${requirement(rules)}`);
  }

  function showNumbers() {
    const lines = scene.heights[recipe].map((heights, fork) =>
      [`${scene.forks[fork]} fork`, ...(heights ? heights.map((height) => signed(height, 1)) : ["–", "–", "–"])]);
    lineNumbers.replaceChildren(numbersTable(["error (%)", "siblings", "midpoint", "barrier (points)"], lines));
    const { unit, rules } = scene.claims[claim];
    const { estimate, low, high } = result();
    const found = values();
    const rows = [
      ["estimate", estimate === null ? "–" : exact(estimate)],
      ["95 % interval", low === null ? "–" : fromTo(low, high)],
      ...(found.length ? [[`${found.length} parents`, fromTo(Math.min(...found), Math.max(...found))]] : []),
      ["allowed", requirement(rules)],
    ];
    statisticNumbers.replaceChildren(numbersTable(["statistic", unit || "value"], rows));
  }

  return onResize(el, safely((now) => {
    width = now;
    draw();
  }));
}

export default { render: (given) => guarded(given.el, (safely) => recipeExplorer(given, safely)) };
