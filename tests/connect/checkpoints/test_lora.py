"""Adapters are merged according to their definition and to peft, and unsupported ones are rejected."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from lmc_utils import connect
from lmc_utils.connect.checkpoints.files import read
from lmc_utils.connect.endpoints import endpoints
from lmc_utils.networks.data import import_torchvision
from lmc_utils.settings import ParameterError

CONFIG = {"peft_type": "LORA", "r": 2, "lora_alpha": 6, "init_lora_weights": True, "target_modules": ["0"]}
PREFIX = "base_model.model."


def network() -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))


def factors(layer: str, rows: int, columns: int, rank: int = 2) -> dict[str, Tensor]:
    return {
        f"{PREFIX}{layer}.lora_A.weight": torch.randn(rank, columns),
        f"{PREFIX}{layer}.lora_B.weight": torch.randn(rows, rank),
    }


def write(folder: Path, tensors: dict[str, Tensor], **config: Any) -> Path:
    folder.mkdir(exist_ok=True)
    save_file(tensors, folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text(json.dumps({**CONFIG, **config}))
    return folder


@pytest.fixture
def base(tmp_path: Path) -> tuple[nn.Sequential, Path]:
    torch.manual_seed(0)
    module = network()
    torch.save({"state_dict": module.state_dict()}, tmp_path / "base.pt")
    return module, tmp_path / "base.pt"


@pytest.mark.parametrize(
    ("config", "scale"),
    [
        ({}, 3.0),
        ({"use_rslora": True}, 6 / math.sqrt(2)),
        ({"alpha_pattern": {"0": 1}}, 0.5),
        ({"alpha_pattern": {"2": 1}}, 3.0),
        ({"lora_alpha": 0.5}, 0.25),
        ({"rank_pattern": {"0": 2}, "r": 8}, 3.0),
    ],
)
def test_an_adapter_is_merged_by_its_definition(base: Any, tmp_path: Path, config: Any, scale: float) -> None:
    module, path = base
    tensors = {**factors("0", 3, 4), f"{PREFIX}2.bias": torch.ones(2)}
    folder = write(tmp_path / "adapter", tensors, **config)
    a, b = (tensors[f"{PREFIX}0.lora_{each}.weight"].double() for each in "AB")
    for place in (folder, folder / "adapter_model.safetensors"):
        state, notes = read(place, base=path, model=network())
        assert torch.equal(state["0.weight"], (module[0].weight.double() + scale * b @ a).float())
        assert state["2.bias"].tolist() == [1, 1]
        assert all(torch.equal(state[name], module.state_dict()[name]) for name in ("0.bias", "2.weight"))
        assert "1 weights changed by scale * B @ A, 1 tensors replaced; a line in the factors would be" in notes[-1]


def test_the_line_of_merged_weights_is_measured(base: Any, tmp_path: Path) -> None:
    module, path = base
    data = torch.randn(20, 4), torch.randint(0, 2, (20,))
    tensors = [factors("0", 3, 4) for _ in range(2)]
    states = [read(write(tmp_path / str(row), each), base=path, model=module)[0] for row, each in enumerate(tensors)]
    found = connect.pair(*states, data, model=module, alphas=3).loss.sel(alpha=0.5)
    middle = network()
    update = sum(3 * each[f"{PREFIX}0.lora_B.weight"] @ each[f"{PREFIX}0.lora_A.weight"] for each in tensors) / 2
    middle.load_state_dict({**module.state_dict(), "0.weight": module[0].weight.detach() + update})
    assert float(found) == pytest.approx(
        float(nn.functional.cross_entropy(middle(data[0]), data[1]).detach()), rel=1e-5
    )


def test_convolutions_and_embeddings_are_merged(tmp_path: Path) -> None:
    module = nn.ModuleDict({"conv": nn.Conv2d(3, 5, 3), "words": nn.Embedding(7, 4)})
    torch.save(module.state_dict(), tmp_path / "base.pt")
    down, up = nn.Conv2d(3, 2, 3, bias=False), nn.Conv2d(2, 5, 1, bias=False)
    a, b = torch.randn(2, 7), torch.randn(4, 2)
    tensors = {
        f"{PREFIX}conv.lora_A.weight": down.weight.detach(),
        f"{PREFIX}conv.lora_B.weight": up.weight.detach(),
        f"{PREFIX}words.lora_embedding_A": a,
        f"{PREFIX}words.lora_embedding_B": b,
    }
    state, _ = read(write(tmp_path / "a", tensors), base=tmp_path / "base.pt", model=module)
    image, merged = torch.randn(1, 3, 6, 6), nn.Conv2d(3, 5, 3)
    merged.load_state_dict({"weight": state["conv.weight"], "bias": state["conv.bias"]})
    torch.testing.assert_close(merged(image), module["conv"](image) + 3 * up(down(image)))
    torch.testing.assert_close(state["words.weight"], module["words"].weight.detach() + 3 * (b @ a).T)


@pytest.mark.parametrize(
    ("tensors", "config", "line"),
    [
        (factors("0", 3, 4), {"use_dora": True}, r"unsupported settings in .* use_dora; merge it by peft's"),
        (factors("0", 3, 4), {"peft_type": "IA3"}, r"peft_type in .* must be LORA \(got 'IA3'\)$"),
        (factors("0", 3, 4), {"init_lora_weights": "pissa"}, r"settings in .* init_lora_weights; merge"),
        (factors("0", 3, 4), {"new_setting": 1}, r"unsupported settings in .* new_setting; merge it by peft's"),
        (factors("0", 3, 4), {"r": 3}, r"0 has rank 2, its settings say 3$"),
        (factors("0", 3, 4), {"lora_alpha": "6"}, r"lora_alpha must be a finite number \(got '6'\)$"),
        (factors("0", 3, 4), {"lora_alpha": 10**400}, r"lora_alpha must be a finite number \(got"),
        (factors("0", 3, 4, rank=0), {"r": 0}, r"one rank, at least 1 \(got the shapes \(3, 0\) and \(0, 4\)\)$"),
        ({name: torch.tensor(1.0) for name in factors("0", 1, 1)}, {}, r"of 0 .* shapes \(\) and \(\)\)$"),
        ({name: torch.ones(2) for name in factors("0", 1, 1)}, {}, r"of 0 .* \(got the shapes \(2,\) and \(2,\)\)$"),
        (factors("0", 3, 4), {"alpha_pattern": {"^(a+)+$": 1}}, "alpha_pattern must map names of layers to values"),
        (factors("1", 3, 4), {}, r"it changes 1.weight, which is not a tensor of the network$"),
        (factors("0", 4, 3), {}, r"0.weight is \(3, 4\) in the network, its change is \(4, 3\)$"),
        ({**factors("0", 3, 4), f"{PREFIX}0.lora_magnitude_vector": torch.ones(3)}, {}, "vector is not a factor"),
        ({**factors("0", 3, 4), f"{PREFIX}0.lora_B.bias": torch.ones(3)}, {}, "0.lora_B.bias is not a factor"),
        ({f"{PREFIX}0.lora_A.weight": torch.ones(2, 4)}, {}, r"lora_A or lora_B is missing for 0$"),
        (factors("0", 1, 4), {}, r"0.weight is \(3, 4\) in the network, its change is \(1, 4\)$"),
        ({**factors("0", 3, 4), f"{PREFIX}9.bias": torch.ones(3)}, {}, "changes 9.bias, which is not a tensor"),
    ],
)  # fmt: skip
def test_an_adapter_that_is_not_understood_is_a_one_line_error(
    base: Any, tmp_path: Path, tensors: Any, config: Any, line: str
) -> None:
    with pytest.raises(ParameterError, match=line) as refused:
        read(write(tmp_path / "adapter", tensors, **config), base=base[1], model=network())
    assert "\n" not in str(refused.value)


def test_an_adapter_needs_its_base(base: Any, tmp_path: Path) -> None:
    folder = write(tmp_path / "adapter", factors("0", 3, 4))
    with pytest.raises(ParameterError, match=r"^checkpoint: '.*' is a LoRA adapter, .* --base PATH"):
        read(folder)
    with pytest.raises(ParameterError, match=r"^checkpoint: '.*' is a LoRA adapter, .* --base PATH"):
        read(folder, base=folder, model=network())
    with pytest.raises(ParameterError, match=r"^model is missing: a LoRA adapter is measured merged into its"):
        read(folder, base=base[1])
    with pytest.raises(ParameterError, match=r"^first: .* these are a LoRA adapter's: give its base, --base PATH or"):
        endpoints([factors("0", 3, 4), network().state_dict()], model=network())
    torch.save(factors("0", 3, 4), tmp_path / "plain.pt")
    with pytest.raises(ParameterError, match=r"^adapter: no adapter_config.json beside .* it says how the factors are"):
        read(tmp_path / "plain.pt", base=base[1], model=network())
    assert torch.equal(read(base[1], base=base[1], model=network())[0]["0.weight"], base[0][0].weight)


def test_a_whole_network_with_factors_is_merged_as_an_adapter_is(base: Any, tmp_path: Path) -> None:
    module, path = base
    adapter = factors("0", 3, 4)
    whole = {f"{PREFIX}{name.replace('0.', '0.base_layer.')}": value + 1 for name, value in module.state_dict().items()}
    factored = {name.replace(".weight", ".default.weight"): value for name, value in adapter.items()}
    (tmp_path / "adapter_config.json").write_text(json.dumps(CONFIG))
    torch.save({**factored, **whole}, tmp_path / "whole.pt")
    state, _ = read(tmp_path / "whole.pt", base=path, model=module)
    update = 3 * adapter[f"{PREFIX}0.lora_B.weight"] @ adapter[f"{PREFIX}0.lora_A.weight"]
    torch.testing.assert_close(state["0.weight"], module[0].weight.detach() + 1 + update)
    assert torch.equal(state["0.bias"], module[0].bias + 1)


def test_a_tied_weight_is_not_adapted_in_one_place(tmp_path: Path) -> None:
    module = nn.ModuleDict({"words": nn.Embedding(4, 4), "head": nn.Linear(4, 4, bias=False)})
    module["head"].weight = module["words"].weight
    torch.save(module.state_dict(), tmp_path / "base.pt")
    with pytest.raises(ParameterError, match=r"head.weight shares its weights with words.weight; merge the"):
        read(write(tmp_path / "a", factors("head", 4, 4)), base=tmp_path / "base.pt", model=module)


def test_factors_of_the_network_itself_are_mixed_apart_and_that_is_said() -> None:
    class Adapted(nn.Linear):
        def __init__(self) -> None:
            super().__init__(3, 2)
            self.lora_A, self.lora_B = nn.Parameter(torch.randn(1, 3)), nn.Parameter(torch.randn(2, 1))

    notes = endpoints([Adapted(), Adapted()]).notes
    assert len(notes) == 1
    assert notes[0].startswith(
        "lora_A and 1 more are factors of low-rank updates, mixed apart, so that updates are quadra"
    )


@pytest.mark.filterwarnings("ignore")
def test_merging_agrees_with_peft_and_folders_are_those_of_transformers(tmp_path: Path) -> None:
    import_torchvision()  # before other packages, which fail if it was built for another torch
    transformers, peft = pytest.importorskip("transformers"), pytest.importorskip("peft")
    shape = {"vocab_size": 11, "n_positions": 8, "n_embd": 8, "n_layer": 1, "n_head": 2, "bos_token_id": 0}
    config = transformers.GPT2Config(**shape, eos_token_id=0, attn_pdrop=0.0, resid_pdrop=0.0, embd_pdrop=0.0)
    network = transformers.GPT2LMHeadModel(config).eval()
    network.save_pretrained(tmp_path / "whole")
    network.save_pretrained(tmp_path / "parts", max_shard_size="2KB")
    assert len(list((tmp_path / "parts").glob("*.safetensors"))) > 1
    for folder in ("whole", "parts"):
        state, _ = read(tmp_path / folder)
        assert all(torch.equal(endpoints([state, network]).states[0][n], v) for n, v in network.named_parameters())
    for rslora in (False, True):
        settings = peft.LoraConfig(r=2, lora_alpha=3, target_modules=["c_attn", "c_proj"], bias="lora_only",
                                   alpha_pattern={"c_attn": 5}, use_rslora=rslora)  # fmt: skip
        adapted = peft.get_peft_model(transformers.GPT2LMHeadModel.from_pretrained(tmp_path / "whole"), settings)
        for parameter in adapted.parameters():
            if parameter.requires_grad:
                nn.init.normal_(parameter)
        adapted.save_pretrained(tmp_path / "adapter")
        state, _ = read(tmp_path / "adapter", base=tmp_path / "whole", model=network)
        expected = dict(adapted.merge_and_unload().named_parameters())
        assert set(expected) <= set(state)
        for name, value in expected.items():
            torch.testing.assert_close(state[name], value.detach())
