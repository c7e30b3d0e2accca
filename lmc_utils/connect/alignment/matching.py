"""Match the channels of two networks by weights or by activations.

Hidden channels can be permuted without a change of what a network computes (`networks.permutation_symmetry`). Two
networks that are equal up to such a permutation may look far apart. Matching finds the permutation under which the
second network is most like the first: in its weights, or in its activations on samples.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn

from lmc_utils.measure.stacked_scores import blocks
from lmc_utils.networks import permutation_symmetry, stack
from lmc_utils.networks.axis_groups import FIXED
from lmc_utils.networks.layers import Parameters
from lmc_utils.networks.permutation_symmetry import Axes
from lmc_utils.networks.stack import Networks
from lmc_utils.progress import bar
from lmc_utils.settings import ParameterError

Permutations = dict[str, Tensor]
"""For each group the order of the second network's channels: channel i is what permutations[group][i] was."""

Place = tuple[str, int, int, int, int]
"""Places of the channels of a group: parameter, axis, first entry on it, channels, neighbours that belong to each."""
Places = dict[str, list[Place]]

_ACTIVATIONS = (nn.ReLU, nn.GELU, nn.Tanh)
_SAMPLES_AT_ONCE = 250
_ROUNDING = 1e-12  # smaller gains, as a fraction of the networks' norms, are rounding


def groups(axes: Axes, *, hint: str = "all of this one keep an order") -> dict[str, int]:
    """The number of channels of each group, see `networks.permutation_symmetry.groups`.

    Args:
        axes: axes of the architecture.
        hint: possible reason for a failure, for the message.

    Raises:
        ParameterError: nothing in the network can be permuted.
    """
    result = permutation_symmetry.groups(axes)
    if not result:
        raise ParameterError(f"network: no channels can be permuted; {hint}")
    return result


def by_weights(
    axes: Axes, first: Parameters, second: Parameters, *, starts: int = 4, seed: Sequence[int] = (0,)
) -> Permutations:
    """Weight matching by linear assignment: permute the second network's parameters towards the first's.

    Coordinate descent: group after group, in random order, the optimal assignment is computed with the others fixed
    (Ainsworth et al. 2022, section 3.2), until none of them changes. The result is a local optimum, and starting from
    the identity it may be the identity itself; so the search is repeated from random permutations, and from one that is
    constructed layer by layer, and the best result is returned. It is never worse than the identity, and exact
    permutations are recovered.

    Args:
        axes: permutation groups of the architecture, from `networks.permutation_symmetry.axes` for stacks, or
            `channel_graph.read` for any module.
        first, second: the parameters of each network by name, with a leading axis of one.
        starts: random starts in addition to the identity.
        seed: seed of the starts and of the order of groups.

    Raises:
        ParameterError: as for `groups`, or parameters that are NaN or infinite.
    """
    first, second = _wide(first), _wide(second)
    places = _places(axes, first)
    sizes = {group: size for group, size in groups(axes).items() if group in places}
    identity = {group: torch.arange(size) for group, size in sizes.items()}
    best = _likeness(first, second), identity
    for start in bar(range(starts + 2), "matching weights", unit="start"):
        random = np.random.default_rng([*seed, start])
        if start == 0:
            orders = _from_ordered_axes(axes, first, second, places)
        elif start == 1:
            orders = dict(identity)
        else:
            orders = {group: torch.from_numpy(random.permutation(size)) for group, size in sizes.items()}
        permuted = _descend(axes, first, permutation_symmetry.permuted(second, axes, orders), places, orders, random)
        best = max(best, (_likeness(first, permuted), orders), key=lambda found: found[0])
        if all(torch.equal(value, permuted[name]) for name, value in first.items()):
            break
    return best[1]


def _likeness(one: Parameters, other: Parameters) -> float:
    return sum(float((value * other[name]).sum()) for name, value in one.items())


def _descend(
    axes: Axes,
    first: Parameters,
    permuted: Parameters,
    places: Places,
    orders: Permutations,
    random: np.random.Generator,
) -> Parameters:
    """Improve the permutations, group after group, until none changes; return the permuted parameters."""
    permuted = dict(permuted)
    meets = {group: {name for name, *_ in found} for group, found in places.items()}
    open_ones = set(orders)  # groups that may be improved because a connected group has changed
    while open_ones:
        group = str(random.choice(sorted(open_ones)))
        open_ones.remove(group)
        order = _best(first, permuted, places[group])
        if torch.equal(order, torch.arange(len(order))):
            continue
        here = {name: axes[name] for name in meets[group]}
        after = permutation_symmetry.permuted({name: permuted[name] for name in here}, here, {group: order})
        gain = sum(float((first[name] * (after[name] - permuted[name])).sum()) for name in after)
        if gain > _ROUNDING * sum(float(first[name].square().sum()) for name in after):
            orders[group] = orders[group][order]
            permuted |= after
            open_ones |= {other for other in orders if other != group and meets[other] & meets[group]}
    return permuted


def _from_ordered_axes(axes: Axes, first: Parameters, second: Parameters, places: Places) -> Permutations:
    """Construct permutations group by group, starting from inputs and outputs, which are fixed.

    Each group is matched by those of its weights whose other axes are already determined; the next group is the one
    with the largest fraction of such weights. Exact permutations are recovered in one pass.
    """
    orders: Permutations = {}
    permuted = dict(second)

    def ready(group: str) -> list[Place]:
        return [
            place
            for place in places[group]
            if all(
                part.group in orders or part.group == FIXED
                for number, parts in enumerate(axes[place[0]], start=1)
                for part in parts
                if number != place[1]
            )
        ]

    def weights(found: Sequence[Place]) -> int:
        return sum(first[name].numel() // first[name].shape[axis] * repeats for name, axis, _, _, repeats in found)

    while len(orders) < len(places):
        known = {group: ready(group) for group in places if group not in orders}
        group = max(known, key=lambda each: weights(known[each]) / weights(places[each]))
        orders[group] = _best(first, permuted, known[group] or places[group])
        permuted |= permutation_symmetry.permuted(
            {name: permuted[name] for name, *_ in places[group]}, axes, {group: orders[group]}
        )
    return orders


def by_activations(network: nn.Module, ends: Networks, inputs: Tensor) -> Permutations:
    """Activation matching: permute the second network so that its activations correlate best with the first's.

    For each group, the sum of correlations over samples and space, after every activation function on its channels, is
    maximised exactly (Li et al. 2015; Ainsworth et al. 2022, section 3.1). Groups are independent, so no starting point
    is needed. The distance of the networks is not considered and can grow. Constant channels, such as dead units, have
    correlation 0 with all others.

    Args:
        network: any stack of the architecture.
        ends: the two networks.
        inputs: shape (samples, space..., channels).

    Raises:
        ParameterError: as for `by_weights`.
    """
    sizes, channels = groups(permutation_symmetry.axes(network)), permutation_symmetry.channels(network)
    theta = ends.theta.detach()
    _wide(stack.unflatten(theta, network))
    buffers = stack.fresh_buffers(network, 2).to(theta) if ends.buffers is None else ends.buffers
    pair = stack.bound(network, theta, buffers).eval()
    watched = {
        name: layer for name, layer in pair.named_modules() if isinstance(layer, _ACTIVATIONS) and channels[name]
    }
    moments: dict[str, tuple[Tensor, Tensor]] = {}

    def watch(name: str) -> Any:
        def hook(_: nn.Module, __: Any, outputs: Tensor) -> None:
            vectors = outputs if outputs.dim() == 3 else outputs.flatten(3).permute(1, 0, 3, 2).flatten(1, 2)
            wide = vectors.double()
            products = torch.stack([wide[0].T @ wide[1], wide[0].T @ wide[0], wide[1].T @ wide[1]])
            if name in moments:
                moments[name] = moments[name][0] + wide.sum(1), moments[name][1] + products
            else:
                moments[name] = wide.sum(1), products
            counted[name] = counted.get(name, 0) + wide.shape[1]

        return hook

    counted: dict[str, int] = {}
    for name, layer in watched.items():
        layer.register_forward_hook(watch(name))
    with torch.no_grad():
        for part in blocks(len(inputs), _SAMPLES_AT_ONCE):
            pair(inputs[part].expand(2, *inputs[part].shape))
    alike = {group: torch.zeros(size, size, dtype=torch.float64) for group, size in sizes.items()}
    for name, (sums, products) in moments.items():
        correlations, start = _correlations(sums.cpu(), products.cpu(), counted[name]), 0
        for segment in channels[name]:
            chosen = slice(start, start + segment.size)
            if segment.group in alike:
                alike[segment.group] += correlations[chosen, chosen]
            start += segment.size
    return {group: _assigned(scores) for group, scores in alike.items()}


def _wide(values: Parameters) -> Parameters:
    """Parameters in float64 on the CPU."""
    if not all(bool(value.isfinite().all()) for value in values.values()):
        raise ParameterError("endpoints: some parameters are NaN or infinite")
    return {name: value.detach().double().cpu() for name, value in values.items()}


def _places(axes: Axes, parameters: Iterable[str]) -> Places:
    """The occurrences of each group in parameters."""
    result: Places = {}
    for name in parameters:
        for axis, parts in enumerate(axes.get(name, ()), start=1):
            start = 0
            for group, size, repeats in parts:
                result.setdefault(group, []).append((name, axis, start, size, repeats))
                start += size * repeats
    return result


def _best(first: Parameters, second: Parameters, places: Sequence[Place]) -> Tensor:
    """The optimal permutation of one group's channels, with all others fixed."""
    scores: Tensor | int = 0
    for name, axis, start, size, repeats in places:
        ours, theirs = (
            values[name].narrow(axis, start, size * repeats).movedim(axis, 0).reshape(size, -1)
            for values in (first, second)
        )
        scores = scores + ours @ theirs.T
    assert isinstance(scores, Tensor)
    return _assigned(scores)


def _assigned(scores: Tensor) -> Tensor:
    """The assignment of columns to rows with the largest sum of scores."""
    _, columns = linear_sum_assignment(scores.numpy(), maximize=True)
    return torch.from_numpy(columns)


def _correlations(sums: Tensor, products: Tensor, count: int) -> Tensor:
    """Correlations of all channels of the first network with all of the second; 0 for constant channels."""
    means = sums / count
    variances = products[1:].diagonal(dim1=1, dim2=2) / count - means.square()
    varies = variances > 1e-12 * means.square().clamp(min=1e-12)
    inverse = torch.where(varies, variances.clamp(min=1e-300).rsqrt(), 0.0)
    covariance = products[0] / count - means[0][:, None] * means[1]
    return covariance * inverse[0][:, None] * inverse[1]
