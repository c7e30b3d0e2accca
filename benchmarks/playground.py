"""Runs of the playground with many seeds, in Node, for the page on it: `python -m benchmarks.playground`.

Writes results/playground.json: for each case and fork epoch the barriers of ten seeds, and the pictures of one run.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import shutil
import subprocess
import sys
from typing import Any

from lmc_utils.provenance import CHECKOUT, write_whole
from lmc_utils.widgets.assets import join_scripts
from lmc_utils.widgets.playground import ENGINE, Playground

TABLE = CHECKOUT / "results" / "playground.json"
SEEDS = range(100, 110)  # not 0 to 9, with which the default learning rate was chosen
FORKS = (0, 5, 10, 20, 30, 40)
CASES: dict[str, dict[str, Any]] = {
    "default": {},
    "moons": {"data_set": "moons"},
    "circles": {"data_set": "circles"},
    "turns_1": {"data_set": "spirals", "turns": 1.0},
    "turns_2": {"data_set": "spirals", "turns": 2.0},
    "width_8": {"width": 8},
    "width_64": {"width": 64},
    "rate_low": {"learning_rate": 0.01},
    "rate_high": {"learning_rate": 1.0},
    "noise_3": {"difference": "noise", "difference_size": 1e-3},
    "noise_6": {"difference": "noise", "difference_size": 1e-6},
    "noise_9": {"difference": "noise", "difference_size": 1e-9},
    "weight": {"difference": "weight", "difference_size": 1e-3},
}
_RUN = """
const { source, cases, picture } = JSON.parse(require("fs").readFileSync(0, "utf8"));
import("data:text/javascript;base64," + Buffer.from(source).toString("base64")).then((engine) => {
  const end = (settings) => [...engine.forkedRun(settings)].at(-1);
  const runs = cases.map((settings) => {
    const { networks, data } = end(settings);
    const line = engine.measureLine(networks, data, engine.makeScratch(settings.width));
    return { barrier: line.errorBarrier, error: (line.error[0] + line.error.at(-1)) / 2 };
  });
  const { maps, error } = engine.describeState(end(picture), picture.width);
  console.log(JSON.stringify({
    runs, picture: { maps: maps.map((map) => Buffer.from(map).toString("base64")), error },
  }));
});
"""


def main() -> None:
    cases = [
        {"case": case, **Playground(**changed).settings, "fork_epoch": fork, "seed": seed}
        for case, changed in CASES.items()
        for fork in (FORKS if case == "default" else (FORKS[0], FORKS[-1]))
        for seed in SEEDS
    ]
    sent = {"source": join_scripts(*ENGINE), "cases": cases, "picture": Playground().settings}
    if not shutil.which("node"):
        sys.exit("playground: node is missing; install Node.js, version 18 or later")
    made = json.loads(subprocess.check_output(["node", "-e", _RUN], input=json.dumps(sent), text=True))
    rows: dict[str, dict[str, dict[str, list[float]]]] = {}
    for case, run in zip(cases, made["runs"], strict=True):
        row = rows.setdefault(case["case"], {}).setdefault(str(case["fork_epoch"]), {"barrier": [], "error": []})
        for name, value in run.items():
            row[name].append(round(value, 3))
    table = {
        "command": "python -m benchmarks.playground",
        "date": datetime.date.today().isoformat(),
        "node": subprocess.check_output(["node", "--version"], text=True).strip(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "seeds": list(SEEDS),
        "settings": {case: Playground(**changed).settings for case, changed in CASES.items()},
        "runs": rows,
        "picture": made["picture"],
    }
    write_whole(
        TABLE, json.dumps(table, separators=(",", ":")).replace('"},', '"},\n').replace("]},", "]},\n").encode()
    )


if __name__ == "__main__":
    main()
