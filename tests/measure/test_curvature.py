"""Curvature compared with dense Hessians, closed forms, an independent library, and other batch sizes."""

import copy
import itertools
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from curvlinops import HessianLinearOperator
from device import DEVICE
from torch import Tensor, nn
from torch.nn import functional

from lmc_utils import connect
from lmc_utils.forking import Experiment, Member, Run, train
from lmc_utils.measure import approximations, barriers, curvature, lines, stacked_scores
from lmc_utils.measure.batchnorm import CONVENTIONS, Convention
from lmc_utils.measure.mixtures import blend, on_line
from lmc_utils.measure.pairs import between
from lmc_utils.measure.stacked_derivatives import directional_derivatives
from lmc_utils.networks import layers, normalisation, stack
from lmc_utils.networks.models import ACTIVATIONS, Architecture, build

SMALL = Experiment(
    dataset="digits", widths=(8, 8), activation="tanh", epochs=3, fork_epochs=(0, 2), parents=2, device=DEVICE
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(SMALL, tmp_path_factory.mktemp("runs"))


def samples(count: int, shape: tuple[int, ...], classes: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(count, *shape, generator=generator, dtype=torch.float64)
    return inputs, torch.randint(classes, (count,), generator=generator)


def networks(network: nn.Module, count: int = 3) -> tuple[Tensor, Tensor]:
    """Random parameters, none of them zero, and random directions."""
    size = sum(value[0].numel() for value in network.parameters())
    generator = torch.Generator().manual_seed(1)
    thetas, deltas = torch.randn(2, count, size, generator=generator, dtype=torch.float64)
    return 0.5 * thetas, deltas


def dense(
    network: nn.Module,
    theta: Tensor,
    delta: Tensor,
    inputs: Tensor,
    labels: Tensor,
    kept: Tensor | None = None,
    skipped: int = 0,
) -> tuple[Tensor, Tensor]:
    """Slopes and curvatures by layer from the gradient and the whole Hessian matrix, of all but the first samples."""

    def loss(vector: Tensor) -> Tensor:
        values = stack.unflatten(vector[None], network, None if kept is None else kept[None])
        logits = torch.func.functional_call(network, values, (inputs[None],))
        return functional.cross_entropy(logits[0, skipped:], labels)

    hessian, gradient = torch.func.hessian(loss)(theta), torch.func.grad(loss)(theta)
    blocks = list(stack.layer_slices(network).values())
    slopes = torch.stack([gradient[block] @ delta[block] for block in blocks])
    rows = [torch.stack([delta[one] @ hessian[one, other] @ delta[other] for other in blocks]) for one in blocks]
    return slopes, torch.stack(rows)


def designs() -> Iterator[tuple[Architecture, tuple[int, ...]]]:
    for name, activation, norm in itertools.product(("mlp", "cnn"), ACTIVATIONS, ("none", "layer")):
        yield Architecture(architecture=name, widths=(5, 4), activation=activation, norm=norm), (6, 2)
    for name, shape, norm in [("cnn", (7, 6, 1), "batch"), ("cnn", (7, 6, 1), "group"), ("cnn", (7, 6, 1), "layer"),
                              ("mlp", (6, 1), "batch"), ("mlp", (6, 1), "group")]:  # fmt: skip
        yield Architecture(architecture=name, widths=(4, 6), activation="tanh", norm=norm, norm_groups=2), shape
    for activation, norm in itertools.product(("gelu", "relu"), ("none", "batch", "group", "layer")):
        design = Architecture(architecture="resnet8", widths=(2,), activation=activation, norm=norm, norm_groups=2)
        yield design, (7, 2)
    yield Architecture(architecture="resnet8", widths=(2,), activation="tanh", norm="batch"), (5, 6, 1)
    yield Architecture(architecture="vgg11", widths=(1,), activation="gelu", norm="batch", dropout=0.5), (17, 1)


CASES = [
    pytest.param(design, shape, how, id=f"{design.architecture}-{design.activation}-{design.norm}-{how}")
    for design, shape in designs()
    for how in (("functions", "constants") if design.norm == "batch" else ("none",))
]


@pytest.mark.filterwarnings("ignore:There is a performance drop")  # the dense Hessian of a convolution
@pytest.mark.parametrize(("design", "shape", "how"), CASES)
def test_curvature_equals_the_dense_hessian_for_every_network(
    design: Architecture, shape: tuple[int, ...], how: str
) -> None:
    """Batch-norm statistics as functions of theta on a first part of the samples, and as constants."""
    network = build(design, shape, 3).double().eval()
    thetas, deltas = networks(network, count=2)
    inputs, labels = samples(11, shape, 3)
    skipped = 5 if how == "functions" else 0
    kept = 0.5 + torch.rand(2, stack.fresh_buffers(network, 1).shape[1], dtype=torch.float64)
    given = {"estimation": inputs[:skipped]} if skipped else {"buffers": kept}
    later = inputs[skipped:], labels[skipped:]
    found = directional_derivatives(network, thetas, deltas, inputs=later[0], labels=later[1], **given)
    whole = directional_derivatives(network, thetas, deltas, inputs=later[0], labels=later[1], by_layer=False, **given)
    for layer in network.modules():
        if isinstance(layer, normalisation.BatchNorm):
            layer.estimate_from = skipped or None
    for row, (theta, delta) in enumerate(zip(thetas, deltas, strict=True)):
        slopes, curvatures = dense(network, theta, delta, inputs, labels[skipped:], kept[row], skipped)
        scale, steep = float(curvatures.abs().max()), float(slopes.abs().max())
        torch.testing.assert_close(found.slope[row], slopes, rtol=1e-9, atol=1e-12 * steep)
        torch.testing.assert_close(found.curvature[row], curvatures, rtol=1e-9, atol=1e-11 * scale)
        torch.testing.assert_close(whole.slope[row, 0], slopes.sum(), rtol=1e-9, atol=1e-11 * steep)
        torch.testing.assert_close(whole.curvature[row, 0, 0], curvatures.sum(), rtol=1e-9, atol=1e-11 * scale)


def test_curvature_follows_the_batchnorm_convention() -> None:
    """On the line between two networks: statistics follow the convention, also if they are kept in turn."""
    design = Architecture(architecture="resnet8", widths=(2,), norm="batch", activation="tanh")
    network = build(design, (7, 1), 3).double()
    thetas, _ = networks(network, count=2)
    train = samples(12, (7, 1), 3)
    kept = 0.5 + torch.rand(1, 2, stack.fresh_buffers(network, 1).shape[1], dtype=torch.float64)
    alphas, delta = (0.0, 0.25, 1.0), (thetas[1] - thetas[0])[None]
    for how in CONVENTIONS:
        convention = Convention(how, batchnorm_samples=5)
        pairs = between(network, thetas[:1], thetas[1:], samples={"train": train}, convention=convention, buffers=kept)
        found = curvature.along(pairs, alphas).isel(pair=0)
        assert found.attrs["batchnorm"].startswith(how)
        said = "functions of the parameters" if how == "reestimate" else "constants"
        assert found.attrs["differentiated"] == f"statistics as {said}"
        for alpha in alphas:
            theta = ((1 - alpha) * thetas[0] + alpha * thetas[1])[None]
            mixed = (1 - alpha) * kept[:, 0] + alpha * kept[:, 1]
            ends = [kept[:, 0], kept[:, 1]] if alpha == 0.25 else [mixed]
            given = {
                "reestimate": [{"estimation": convention.samples(train[0])}],
                "interpolate": [{"buffers": mixed}],
                "keep": [{"buffers": end} for end in ends],
            }[how]
            results = [
                directional_derivatives(network, theta, delta, inputs=train[0], labels=train[1], **each)
                for each in given
            ]
            expected = torch.stack([each.curvature[0] for each in results]).mean(0)
            np.testing.assert_allclose(found.curvature.sel(alpha=alpha), expected, rtol=1e-8, atol=1e-9)


def test_curvature_requires_running_statistics() -> None:
    network = build(Architecture(architecture="resnet8", widths=(2,), norm="batch"), (7, 1), 3).double()
    thetas, deltas = networks(network, count=1)
    with pytest.raises(ValueError, match="buffers: expected 60 numbers a network, or samples to estimate on, got 0"):
        directional_derivatives(
            network, thetas, deltas, inputs=torch.zeros(9, 7, 1).double(), labels=torch.zeros(9).long()
        )


class Residual(nn.Module):
    """A plain PyTorch module with a skip connection and running statistics."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.out = nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 3)
        self.norm = nn.GroupNorm(2, 6)

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = torch.tanh(self.norm(self.first(inputs)))
        logits: Tensor = self.out(hidden + torch.sigmoid(self.second(hidden)))
        return logits


TANH, SHARED = nn.Tanh(), layers.Linear(1, 4, 4)


@pytest.mark.parametrize(
    "network",
    [
        nn.Sequential(layers.Linear(1, 4, 5), TANH, layers.Linear(1, 5, 5), TANH, layers.Linear(1, 5, 3)),
        nn.Sequential(SHARED, nn.Tanh(), SHARED, normalisation.LayerNorm(1, 4)),
        nn.Sequential(nn.Sequential(layers.Linear(1, 4, 5), nn.GELU()), layers.Linear(1, 5, 3)),
    ],
    ids=["an activation twice", "a layer twice", "nested"],
)
def test_curvature_equals_the_dense_hessian_for_any_stack(network: nn.Module) -> None:
    network = network.double()
    thetas, deltas = networks(network, count=2)
    inputs, labels = samples(9, (4,), 3)
    found = directional_derivatives(network, thetas, deltas, inputs=inputs, labels=labels)
    for row, (theta, delta) in enumerate(zip(thetas, deltas, strict=True)):
        slopes, curvatures = dense(network, theta, delta, inputs, labels)
        torch.testing.assert_close(found.slope[row], slopes, rtol=1e-9, atol=1e-12)
        torch.testing.assert_close(found.curvature[row], curvatures, rtol=1e-9, atol=1e-11)


def moved(module: nn.Module) -> tuple[nn.Module, Tensor]:
    """A copy of a module with every parameter moved at random, and the displacement as a vector."""
    other = copy.deepcopy(module)
    theta = nn.utils.parameters_to_vector(module.parameters()).detach()
    delta = torch.randn(theta.shape, generator=torch.Generator().manual_seed(1), dtype=theta.dtype)
    nn.utils.vector_to_parameters(theta + delta, other.parameters())
    return other, delta


@pytest.mark.parametrize("words", [False, True], ids=["a residual network", "words as inputs"])
def test_curvature_equals_the_dense_hessian_for_any_module(words: bool) -> None:
    module = nn.Sequential(nn.Embedding(7, 4), nn.Flatten(), nn.Linear(12, 3)) if words else Residual()
    module = module.double().eval()
    inputs, labels = (torch.arange(27).view(9, 3) % 7, torch.arange(9) % 3) if words else samples(9, (6,), 3)
    other, delta = moved(module)
    found = curvature.along(connect.pairs({"one": [module, other]}, (inputs, labels)), [0.0]).squeeze()
    names, sizes = zip(*((name, value.numel()) for name, value in module.named_parameters()), strict=True)
    theta = nn.utils.parameters_to_vector(module.parameters()).detach()

    def loss(vector: Tensor) -> Tensor:
        values = {
            name: part.view_as(dict(module.named_parameters())[name])
            for name, part in zip(names, vector.split(sizes), strict=True)
        }
        return functional.cross_entropy(torch.func.functional_call(module, values, (inputs,)), labels)

    hessian, gradient = torch.func.hessian(loss)(theta), torch.func.grad(loss)(theta)
    owner = np.repeat([list(found.layer.values).index(name.rpartition(".")[0]) for name in names], sizes)
    blocks = torch.zeros(len(found.layer), len(theta), dtype=torch.float64)
    blocks[torch.from_numpy(owner), torch.arange(len(theta))] = delta
    np.testing.assert_allclose(found.slope, blocks @ gradient, rtol=1e-8, atol=1e-11)
    np.testing.assert_allclose(found.curvature, blocks @ hessian @ blocks.T, rtol=1e-8, atol=1e-10)


def test_curvature_equals_that_of_an_independent_library() -> None:
    plain = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3)).double()
    other, delta = moved(plain)
    inputs, labels = samples(13, (6,), 3)
    found = curvature.along(connect.pairs({"one": [plain, other]}, (inputs, labels)), [0.0]).squeeze()
    start = 0
    for name, layer in (("0", plain[0]), ("2", plain[2])):
        operator = HessianLinearOperator(plain, nn.CrossEntropyLoss(), list(layer.parameters()), [(inputs, labels)])
        block = delta[start : start + sum(value.numel() for value in layer.parameters())]
        start += len(block)
        theirs = block @ (operator @ block)
        assert float(found.curvature.sel(layer=name, with_layer=name)) == pytest.approx(theirs.item(), rel=1e-8)
    operator = HessianLinearOperator(plain, nn.CrossEntropyLoss(), list(plain.parameters()), [(inputs, labels)])
    assert float(found.curvature.sum()) == pytest.approx((delta @ (operator @ delta)).item(), rel=1e-8)


def test_a_linear_network_has_the_closed_form() -> None:
    network = nn.Sequential(layers.Linear(1, 4, 3)).double()
    thetas, deltas = networks(network, count=1)
    inputs, labels = samples(10, (4,), 3)
    weight, bias = thetas[0, :12].view(4, 3), thetas[0, 12:]
    chances = (inputs @ weight + bias).softmax(1)
    moved = inputs @ deltas[0, :12].view(4, 3) + deltas[0, 12:]
    variance = (chances * moved**2).sum(1) - (chances * moved).sum(1) ** 2  # of the moved logits under the softmax
    slope = ((chances - functional.one_hot(labels, 3)) * moved).sum(1)
    found = directional_derivatives(network, thetas, deltas, inputs=inputs, labels=labels)
    torch.testing.assert_close(found.curvature[0, 0, 0], variance.mean(), rtol=1e-12, atol=0)
    torch.testing.assert_close(found.slope[0, 0], slope.mean(), rtol=1e-12, atol=1e-15)


def test_in_a_relu_network_each_layers_own_block_is_gauss_newton() -> None:
    network = build(Architecture(widths=(6, 5)), (4, 1), 3).double()
    thetas, deltas = networks(network)
    inputs, labels = samples(12, (4, 1), 3)
    found = directional_derivatives(network, thetas, deltas, inputs=inputs, labels=labels)
    for row, (name, block) in enumerate(stack.layer_slices(network).items()):

        def logits(step: Tensor, block: slice = block) -> Tensor:
            moved = thetas.clone()
            moved[:, block] = moved[:, block] + step * deltas[:, block]
            return torch.func.functional_call(network, stack.unflatten(moved, network), (inputs.expand(3, 12, 4, 1),))

        one = torch.tensor(0.0, dtype=torch.float64)
        outputs, moved = torch.func.jvp(logits, (one,), (torch.ones_like(one),))
        chances = outputs.softmax(-1)
        gauss_newton = ((chances * moved**2).sum(-1) - (chances * moved).sum(-1) ** 2).mean(1)
        torch.testing.assert_close(found.curvature[:, row, row], gauss_newton, rtol=1e-9, atol=0, msg=name)
        assert (found.curvature[:, row, row] >= 0).all()


@pytest.mark.parametrize("by_layer", [True, False])
def test_curvature_does_not_depend_on_batches(by_layer: bool) -> None:
    network = build(Architecture(widths=(6, 5), norm="layer", activation="gelu"), (4, 1), 3).double()
    thetas, deltas = networks(network, count=5)
    inputs, labels = samples(23, (4, 1), 3)
    whole, *others = (
        directional_derivatives(network, thetas, deltas, inputs=inputs, labels=labels, by_layer=by_layer, memory=memory)
        for memory in (100, 0.02, 1e-6)
    )
    for other in others:
        for one, two in zip(whole, other, strict=True):
            torch.testing.assert_close(one, two, rtol=1e-11, atol=1e-13)


def test_the_given_network_is_unchanged() -> None:
    network = build(Architecture(widths=(6,)), (4, 1), 3)
    before = [value.clone() for value in network.parameters()]
    thetas, deltas = networks(network)
    inputs, labels = samples(5, (4, 1), 3)
    directional_derivatives(network, thetas, deltas, inputs=inputs, labels=labels)
    for value, old in zip(network.parameters(), before, strict=True):
        assert value.requires_grad
        assert torch.equal(value, old)


def test_slope_and_curvature_are_the_derivatives_of_the_measured_loss_along_the_line(run: Run) -> None:
    step = 1e-3
    alphas = np.array([-2, -1, 0, 1, 2]) * step + 0.4
    found = curvature.along(run.pairs(), [0.4], by_layer=False)
    for fork, parent in ((0, 0), (2, 1)):
        ends = run.thetas([Member(parent, fork, 0), Member(parent, fork, 1)], 3).double()
        points = blend(on_line(torch.from_numpy(alphas)).weights, ends)
        inputs, labels = run.dataset.train
        loss = stacked_scores.evaluate(run.network, points, inputs.double(), labels)[0].numpy()
        slope = (loss[0] - 8 * loss[1] + 8 * loss[3] - loss[4]) / (12 * step)
        bend = (-loss[0] + 16 * loss[1] - 30 * loss[2] + 16 * loss[3] - loss[4]) / (12 * step**2)
        cut = found.sel(fork_epoch=fork, parent=parent, pair="0-1", epoch=3, alpha=0.4)
        # The networks are float32 in `along`; the difference quotients are float64 and accurate to step^4.
        assert float(cut.slope) == pytest.approx(slope, rel=1e-3, abs=1e-5)
        assert float(cut.curvature) == pytest.approx(bend, rel=1e-3, abs=1e-4)


def test_the_barrier_is_negative_curvature_along_the_line(run: Run) -> None:
    nodes = approximations.gauss_legendre(24)
    bent = curvature.along(run.pairs(), nodes, by_layer=False)
    line = lines.line(run.pairs(), lines.LineGrid(alphas=11, alpha_range=(0, 1))).sel(split="train")
    measured = barriers.loss_barrier(line.loss)
    implied = approximations.from_curvature(bent.curvature, line.alpha.values)
    assert float(abs(measured).max()) > 0.01
    np.testing.assert_allclose(implied.transpose(*measured.dims), measured, atol=2e-5)


def test_curvature_has_labels_sums_and_distances(run: Run) -> None:
    found = curvature.along(run.pairs([1, 3]))
    assert found.sizes == {
        "fork_epoch": 2, "parent": 2, "pair": 1, "epoch": 2, "alpha": 2, "layer": 3, "with_layer": 3,
    }  # fmt: skip
    assert found.curvature.sel(fork_epoch=2, epoch=1).isnull().all()
    whole = curvature.along(run.pairs([1, 3]), by_layer=False)
    assert whole.curvature.dims == ("fork_epoch", "parent", "pair", "epoch", "alpha")
    total = found.curvature.sum(["layer", "with_layer"], skipna=False)
    np.testing.assert_allclose(total, whole.curvature, rtol=1e-4, atol=1e-5)
    first, second = run.thetas([Member(1, 0, 0), Member(1, 0, 1)], 3).double()
    squared = found.squared_distance.sel(fork_epoch=0, parent=1, pair="0-1", epoch=3)
    assert float(squared.sum()) == pytest.approx(float((second - first).square().sum()), rel=1e-12)


def test_arguments_that_do_not_fit_are_rejected(run: Run) -> None:
    network = build(Architecture(widths=(6,)), (4, 1), 3).double()
    thetas, deltas = networks(network)
    inputs, labels = samples(5, (4, 1), 3)
    with pytest.raises(ValueError, match=r"deltas: expected the shape of thetas, \(3, 51\), got \(2, 51\)"):
        directional_derivatives(network, thetas, deltas[:2], inputs=inputs, labels=labels)
    with pytest.raises(ValueError, match="expected parameter vectors of length 51, got 50"):
        directional_derivatives(network, thetas[:, 1:], deltas[:, 1:], inputs=inputs, labels=labels)
    with pytest.raises(ValueError, match="labels: expected one for each of at least one sample, got 4 for 5"):
        directional_derivatives(network, thetas, deltas, inputs=inputs, labels=labels[:4])
    with pytest.raises(ValueError, match="NaN or infinite at fork_epoch 0, parent 0, pair 0-1, epoch 3, alpha inf"):
        curvature.along(run.pairs(), [0.0, float("inf")])
