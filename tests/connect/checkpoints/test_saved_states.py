"""The trained weights are found in checkpoints; in ambiguous cases the user must choose."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lmc_utils.connect.checkpoints.files import read
from lmc_utils.connect.checkpoints.saved_states import find
from lmc_utils.connect.checkpoints.state_dicts import state_of
from lmc_utils.settings import ParameterError

PATH = Path("x.pt")


def state(value: float) -> dict[str, Tensor]:
    return {"weight": torch.full((2, 3), value), "bias": torch.zeros(2)}


STEP = {"state": {0: {"exp_avg": torch.ones(2)}}, "param_groups": [{"lr": 0.1}]}


@pytest.mark.parametrize(
    ("content", "key"),
    [
        (state(1), ""),
        ({"epoch": 3, "state_dict": state(1), "optimizer": STEP}, "state_dict"),
        ({"model": state(1), "best": torch.tensor(1.0)}, "model"),
        ({"model": {"state_dict": state(1), "best": torch.tensor(1.0)}, "step": torch.tensor(3)}, "model.state_dict"),
        ({"net": state(1), "ema": state(2)}, "net"),
        ({"state_dict_ema": state(2), "state_dict": state(1)}, "state_dict"),
        ({"ema": {"module": state(1)}, "epoch": 3}, "ema.module"),
        ({"ema_state_dict": state(1), "best": torch.tensor(1.0)}, "ema_state_dict"),
        ({"my_classifier": state(1), "best": torch.tensor(1.0)}, "my_classifier"),
        ({"model": state(1), "discriminator": state(2)}, "model"),
        ({"model": state(1), "optimizer_states": {"weight": torch.ones(1)}}, "model"),
        ({"weights": state(1), "rng_state": {"torch": torch.get_rng_state()}}, "weights"),
    ],
)
def test_the_trained_weights_are_found(content: Any, key: str) -> None:
    found, notes = find(content, PATH)
    assert torch.equal(found["weight"], state(1)["weight"])
    others = [each for each in ("ema", "state_dict_ema", "discriminator") if each in content and each not in key]
    also = f"; it also holds {others[0]}, which --key NAME (or key=) chooses" if others else ""
    assert notes == ([f"x.pt: using entry '{key}'{also}"] if key else [])


@pytest.mark.parametrize(
    ("content", "keys"),
    [
        ({"generator": state(1), "discriminator": state(2)}, "generator, discriminator"),
        ({"student": state(1), "teacher": state(2)}, "student, teacher"),
        ({"model": state(1), "net": state(2)}, "model, net"),
        ({"model": {"encoder": state(1), "decoder": state(2)}}, "model.encoder, model.decoder"),
        ({"ema": state(1), "swa": state(2)}, "ema, swa"),
    ],
)
def test_several_networks_need_a_key(content: Any, keys: str) -> None:
    with pytest.raises(ParameterError, match=rf"^checkpoint: .* holds several states; choose one by --key .*: {keys}$"):
        find(content, PATH)
    for row, key in enumerate(keys.split(", ")):
        assert find(content, PATH, key)[0]["weight"][0, 0] == row + 1


def test_what_stands_among_tensors_and_is_none_is_left_out_and_named() -> None:
    found, notes = find({**state(1), "epoch": 3, "history": {"loss": torch.ones(1)}, "_extra_state": 1}, PATH)
    assert list(found) == ["weight", "bias", "_extra_state"]
    assert notes == ["x.pt: ignoring entries that are not tensors: epoch, history"]


def test_a_key_that_is_not_there_is_a_one_line_error() -> None:
    assert find({"ema": {"module": state(2)}, "model": state(1)}, PATH, "ema")[0]["weight"][0, 0] == 2
    with pytest.raises(ParameterError, match=r"^'x.pt': unknown key 'emma'; did you mean 'ema'\? Choose from:"):
        find({"model": state(1), "ema": state(2)}, PATH, "emma")
    with pytest.raises(ParameterError, match=r"^'x.pt': unknown key 'ema'; it holds one state, so leave key out$"):
        find(state(1), PATH, "ema")


def below(prefix: str, state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}.{name}": value for name, value in state.items()}


def test_a_key_chooses_one_of_several_networks_in_one_state() -> None:
    content = {"state_dict": {**below("model", state(1)), **below("ema", state(2))}, "epoch": 3}
    tensors, _ = find(content, PATH)
    with pytest.raises(ParameterError, match=r"; for a file, choose by --key NAME \(or key=\): ema, model$"):
        state_of(tensors, nn.Linear(3, 2), "first")
    for key in ("ema", "state_dict.ema"):
        found, notes = find(content, PATH, key)
        assert {name: value.tolist() for name, value in found.items()} == {"weight": [[2] * 3] * 2, "bias": [0, 0]}
        assert notes == ["x.pt: using entry 'state_dict.ema'"]
    wrapped = below("module", content["state_dict"])  # type: ignore[arg-type]
    assert all(find(wrapped, PATH, key)[0]["weight"][0, 0] == 1 for key in ("model", "module.model"))
    twice = {"first": content["state_dict"], "second": content["state_dict"].copy()}  # type: ignore[attr-defined]
    with pytest.raises(ParameterError, match=r"unknown key 'ema'; .*hoose from: first.ema, second.ema$"):
        find(twice, PATH, "ema")
    assert find(twice, PATH, "second.ema")[0]["weight"][0, 0] == 2


def test_a_mapping_that_holds_itself_is_read() -> None:
    content: dict[str, Any] = {f"part{number}": {} for number in range(30)}
    for each in list(content.values()):
        each |= {f"again{number}": content for number in range(30)}
    assert torch.equal(find({**content, "model": state(1)}, PATH)[0]["weight"], state(1)["weight"])


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (
            {"args": argparse.Namespace(a=1), "model": nn.Linear(2, 3)},
            r".* holds an object as model \(a torch.nn.modules.linear.Linear\), not",
        ),
        (
            {"model": nn.Linear(2, 3), "ema": state(1)},
            r".* holds the whole network as model \(a torch.nn.modules.linear.Linear\),",
        ),
        ({"args": argparse.Namespace(a=1)}, r".* does not hold tensors by name but the names args; save the tensors"),
        ({}, r".* does not hold tensors by name but an empty mapping; save the tensors"),
    ],
)
def test_a_network_itself_is_named_and_settings_are_not_to_blame(tmp_path: Path, content: Any, line: str) -> None:
    torch.save(content, tmp_path / "x.pt")
    with pytest.raises(ParameterError, match=line):
        read(tmp_path / "x.pt")
    torch.save({**content, "model": state(1)}, tmp_path / "x.pt")
    assert torch.equal(read(tmp_path / "x.pt")[0]["weight"], state(1)["weight"])
