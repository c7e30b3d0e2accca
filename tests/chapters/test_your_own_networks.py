"""Two files as parameters: all four or none, checked before anything is computed."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from lmc_utils import connect
from lmc_utils.chapters.your_own_networks import Checkpoints
from lmc_utils.settings import ParameterError

WHOLE = {"model": "torch.nn:Identity", "data": "math:pi", "checkpoint_a": "a.pt", "checkpoint_b": "b.pt"}


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        Path(f"{name}.pt").touch()


def test_none_are_none_and_all_are_some() -> None:
    assert not Checkpoints()
    assert Checkpoints(**WHOLE)
    with pytest.raises(ParameterError, match="model: expected MODULE:NAME, got None"):
        Checkpoints().load()


@pytest.mark.parametrize("missing", WHOLE)
def test_what_is_missing_is_named(missing: str) -> None:
    with pytest.raises(ParameterError, match=f"^{missing}: expected .* go together, got None$"):
        Checkpoints(**(WHOLE | {missing: None}))


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"checkpoint_b": "c.pt"}, "checkpoint_b: expected a file that is there, got 'c.pt'"),
        ({"data": "samples"}, "data: expected MODULE:NAME, as in package.module:function, got 'samples'"),
        ({"model": 3}, "model: expected a word or null, got 3"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, object], line: str) -> None:
    with pytest.raises(ParameterError, match=f"^{line}$"):
        Checkpoints(**(WHOLE | change))  # type: ignore[arg-type]


def test_what_is_loaded_is_what_pair_takes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    Path("files_of_mine.py").write_text(
        "import torch\nmake = lambda: torch.nn.Linear(2, 2)\nsamples = torch.eye(2), torch.tensor([0, 1])\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    networks = [nn.Linear(2, 2) for _ in range(2)]
    for name, network in zip(("a.pt", "b.pt"), networks, strict=True):
        torch.save({"state_dict": network.state_dict()}, name)
    loaded = Checkpoints(**(WHOLE | {"model": "files_of_mine:make", "data": "files_of_mine:samples"})).load()
    found = loaded.pair(alphas=3)
    expected = connect.pair(*networks, (torch.eye(2), torch.tensor([0, 1])), alphas=3)
    assert found.loss.values.tolist() == expected.loss.values.tolist()
