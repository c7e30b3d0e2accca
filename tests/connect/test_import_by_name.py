"""Objects are imported by name, and invalid names give a one-line error."""

from __future__ import annotations

from pathlib import Path

import pytest
from torch import nn

from lmc_utils.connect import import_by_name
from lmc_utils.settings import ParameterError

MODULE = """
from torch import nn
from torch.utils.data import Dataset, IterableDataset

held = [1, 2]

def make():
    return nn.Linear(2, 1)

def samples():
    return [3]

def other():
    return 1

network = nn.Linear(3, 1)

class Stream(IterableDataset):
    def __iter__(self):
        return iter([5])

class Callable(Dataset):
    def __call__(self):
        raise RuntimeError("not a factory")

instance = Callable()

def leaves():
    raise SystemExit(2)

def raises():
    raise RuntimeError("no file\\nhere")
"""


@pytest.fixture(autouse=True)
def _module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "readers_own.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(__import__("sys").modules, "readers_own", raising=False)


def test_a_name_gives_the_object_or_what_its_factory_makes() -> None:
    assert isinstance(import_by_name.network("readers_own:make"), nn.Linear)
    assert import_by_name.samples("readers_own:samples") == [3]
    assert import_by_name.samples("readers_own:held") == [1, 2]
    assert list(import_by_name.samples("readers_own:Stream")) == [5]
    assert type(import_by_name.samples("readers_own:instance")).__name__ == "Callable"
    assert import_by_name.network("readers_own:network").in_features == 3
    assert import_by_name.import_object("loss", "readers_own:other")() == 1


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ("readers_own", "model must be MODULE:NAME, e.g. package.module:function (got 'readers_own')"),
        ("readers_none:make", "model: cannot import 'readers_none': ModuleNotFoundError"),
        ("readers_own:mak", "model: unknown name in readers_own: 'mak'; did you mean 'make'"),
        ("readers_own:held", "model must be a function or class that makes it (got 'list')"),
        ("readers_own:other", "model must be a module of torch, or a function that makes one (got 'int')"),
        ("readers_own:leaves", "model: readers_own:leaves() raised SystemExit: 2"),
        (
            "./readers_own.py:make",
            "model must name a module, not a file (got './readers_own.py:make'); write r",
        ),
        ("readers_own:raises", "model: readers_own:raises() raised RuntimeError"),
    ],
)
def test_an_unknown_name_is_a_one_line_error(place: str, line: str) -> None:
    with pytest.raises(ParameterError) as caught:
        import_by_name.network(place)
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)
