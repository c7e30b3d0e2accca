"""Expressions of functions in the JavaScript files of widgets, evaluated in Node instead of in a browser."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

import pytest

from lmc_utils.widgets.assets import join_scripts

_EVALUATE = """
const { source, expression, given } = JSON.parse(require("fs").readFileSync(0, "utf8"));
import("data:text/javascript;base64," + Buffer.from(source).toString("base64")).then((all) => {
  const known = { ...given, ...all };
  const value = new Function(...Object.keys(known), `return ${expression}`)(...Object.values(known));
  console.log(JSON.stringify(value));
});
"""


def compute_in_node(*names: str, expression: str, **given: Any) -> Any:
    """Evaluate an expression of the exported functions of files; the test is skipped if there is no Node."""
    node = shutil.which("node") or pytest.skip("there is no node")
    sent = json.dumps({"source": join_scripts(*names), "expression": expression, "given": given})
    done = subprocess.run([node, "-e", _EVALUATE], input=sent, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
