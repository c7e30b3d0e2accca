"""What can change a result has a part in its name, and nothing else has."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from torch import nn

from lmc_utils import dependencies, provenance
from lmc_utils.forking import Experiment, protocol
from lmc_utils.networks import data, models
from lmc_utils.publishing import build
from lmc_utils.settings import ParameterError

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").rglob("*.ipynb"))
Edit = Callable[[str, str, str], None]


@pytest.fixture
def edit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Edit]:
    """Edits a copy of the package, which provenance takes for the package."""
    package = shutil.copytree(provenance.PACKAGE, tmp_path / provenance.PACKAGE.name)

    def forget() -> None:
        for cached in (provenance.meaning, provenance._source, provenance._names, dependencies._finder):
            cached.cache_clear()

    def change(name: str, old: str, new: str) -> None:
        text = (package / name).read_text()
        assert old in text, f"{name} has changed: it does not hold {old!r}"
        (package / name).write_text(text.replace(old, new, 1))
        forget()

    forget()
    monkeypatch.setattr(provenance, "PACKAGE", package)
    monkeypatch.setattr(provenance, "CHECKOUT", tmp_path)
    yield change
    forget()


def executions() -> dict[str, str]:
    return {path.stem: build.digest_of(path, "default") for path in NOTEBOOKS}


def changed(before: dict[str, str]) -> set[str]:
    return {name for name, digest in executions().items() if digest != before[name]}


def run_key(architecture: str = "mlp") -> str:
    experiment = Experiment(dataset="digits", architecture=architecture)
    dataset = data.load(data.Source(dataset="digits"))
    return provenance.digest(protocol._key(experiment, dataset, experiment.torch_device()))


def test_a_notebook_is_executed_again_where_it_can_reach_the_change(edit: Edit) -> None:
    before = executions()
    edit("classroom/grading.py", "import", "x = 1\nimport")
    edit("publishing/pdf.py", "import", "x = 1\nimport")
    edit("measure/lines.py", '"""', '"""Another docstring. ')
    assert changed(before) == set()
    exercises = {name for name in before if name.endswith("exercises")}
    edit("classroom/exercises/toy.py", "import", "x = 1\nimport")
    assert changed(before) == exercises
    before = executions()
    edit("measure/ridges.py", "import xarray", "x = 1\nimport xarray")
    assert changed(before) == {"05_mountainside_and_ridges", "05_ridge_exercises"}
    edit("widgets/static/line_explorer.js", "const", "/* */ const")
    walked = {"01_toy_landscapes", "02_sibling_forking", "05_mountainside_and_ridges", "07_symmetry_and_detours"}
    assert changed(before) == walked | {"05_ridge_exercises", "08_when_stability_begins"}


def test_a_new_torch_executes_what_imports_it_and_trains_again(monkeypatch: pytest.MonkeyPatch) -> None:
    before, run = executions(), run_key()
    installed = provenance.version
    monkeypatch.setattr(provenance, "version", lambda name: "99" if name == "torch" else installed(name))
    assert changed(before) == {path.stem for path in NOTEBOOKS} - {"01_toy_landscapes", "toy_freezing"}
    assert run_key() != run


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("networks/training.py", '"""', '"""Another docstring. '),
        ("networks/training.py", "\n\n\nclass", "\n\n\n# a comment\nclass"),
        ("networks/data.py", "@known", "@known('', '')\ndef other(x: int) -> int:\n    return x\n\n\n@known"),
        (
            "networks/models.py",
            "@builder(halvings=lambda design: len(design.widths))\ndef cnn(",
            "@builder(halvings=lambda design: 0)\ndef other(x: int) -> int:\n    return x\n\n\n"
            "@builder(halvings=lambda design: len(design.widths))\ndef cnn(",
        ),
        ("networks/models.py", "kernel = 5", "kernel = 7"),
        ("forking/run.py", "import", "x = 1\nimport"),
    ],
)
def test_what_training_does_not_use_trains_nothing_again(edit: Edit, name: str, old: str, new: str) -> None:
    before = run_key()
    edit(name, old, new)
    assert run_key() == before


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("networks/training.py", "math.cos", "math.sin"),
        ("networks/layers.py", "math.sqrt(2 /", "math.sqrt(3 /"),
        ("networks/layers.py", "torch.baddbmm", "torch.matmul"),
        ("forking/experiment.py", "1 + self.fork_epoch", "2 + self.fork_epoch"),
        ("networks/data.py", "inputs.to(device)", "inputs.to(device) / 2"),
    ],
)
def test_what_training_uses_trains_again(edit: Edit, name: str, old: str, new: str) -> None:
    before = run_key()
    edit(name, old, new)
    assert run_key() != before


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("networks/training.py", "\n\n\nclass", "\n\n\ntorch.set_default_dtype(torch.float64)\n\n\nclass"),
        ("networks/training.py", "import math", "import math\nfrom lmc_utils.networks.layers import *"),
        ("networks/training.py", "import math", "import math\nimport lmc_utils.networks.layers"),
    ],
    ids=["a statement", "a star", "a dotted name"],
)
def test_what_cannot_be_told_apart_is_refused(edit: Edit, name: str, old: str, new: str) -> None:
    edit(name, old, new)
    with pytest.raises(ParameterError, match=r"^architecture: lmc_utils\.networks\.training: expected "):
        run_key()


def test_a_network_built_by_code_outside_the_package_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def mine(design: models.Architecture, input_shape: tuple[int, ...], classes: int) -> nn.Module:
        return models.mlp(design, input_shape, classes)

    monkeypatch.setitem(models.BUILDERS, "mine", models.Known(mine, lambda design: 0, stage=False))
    with pytest.raises(ParameterError, match=r"architecture: expected code of lmc_utils, got .*mine of "):
        run_key("mine")


def test_the_kernel_of_a_convolution_is_of_a_cnn_only(edit: Edit) -> None:
    before = run_key("cnn")
    edit("networks/models.py", "kernel = 5", "kernel = 7")
    assert run_key("cnn") != before


def test_other_data_are_another_run(monkeypatch: pytest.MonkeyPatch) -> None:
    before, load = run_key(), data.load
    for split, same in (("test", True), ("train", False)):
        loaded = load(data.Source(dataset="digits"))
        inputs, labels = getattr(loaded, split)
        other = loaded.__dict__ | {split: (inputs + 1e-6, labels)}
        monkeypatch.setattr(data, "load", lambda source, other=other: data.Dataset(**other))
        assert (run_key() == before) is same


def test_training_rests_on_these_libraries() -> None:
    used = provenance.Definitions(protocol._train, *(known.build for known in models.BUILDERS.values()))
    assert list(provenance.versions(used.libraries)) == ["numpy", "torch"]


def test_a_definition_is_found_through_faces_and_attributes() -> None:
    found = provenance.Definitions(build.digest_of).code
    assert {"lmc_utils.dependencies.reached", "lmc_utils.provenance._content"} <= set(found)
    assert "lmc_utils.provenance.whole" not in found


def test_a_digest_knows_content_and_order() -> None:
    values = [[1, 2], [2, 1], "1", 1, b"1", {"a": 1}, {"a": "1"}, [b"12", b""], [b"1", b"2"], None]
    assert len({provenance.digest(value) for value in values}) == len(values)


def test_a_file_that_is_not_whole_does_not_take_the_place_of_one_that_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "a"
    target.write_bytes(b"before")

    def stopped(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", stopped)
    with pytest.raises(KeyboardInterrupt):
        provenance.write_whole(target, b"half")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a": b"before"}


def test_provenance_needs_only_what_python_brings() -> None:
    code = "import json, sys, lmc_utils.provenance; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    loaded = {name.partition(".")[0] for name in json.loads(done.stdout)}
    assert not loaded & {"numpy", "torch", "xarray", "IPython"}


def test_the_environment_chooses_where_results_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LMC_RUNS", str(tmp_path))
    assert provenance.root() == tmp_path
