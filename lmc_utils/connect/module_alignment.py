"""Two networks of torch's own layers, the second with its channels renamed so that it is most like the first."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from lmc_utils.connect import matching
from lmc_utils.connect.alignment import Matching
from lmc_utils.connect.endpoints import Ends
from lmc_utils.connect.state_dicts import State
from lmc_utils.networks import permutation_symmetry
from lmc_utils.networks.lifted import Lifted
from lmc_utils.settings import require


def renamed(ends: Ends, how: Matching, seed: int = 0) -> tuple[Ends, dict[str, Any]]:
    """The networks, the second under the names that bring its weights nearest to the first's.

    It computes what it did; `checking.endpoint_difference` tells.

    Args:
        ends: networks that are sequences of layers that `networks.permutation_symmetry` knows.
        how: how many random starts; matching is by weights.
        seed: of the random starts.

    Returns:
        The networks, and the attributes of a report: how they were matched, their distances before and after, and the
        share of channels that have another name.

    Raises:
        ParameterError: a layer that is not known, nothing that can be permuted, or matching by activations.
    """
    require(how.matching == "weights", "align", "matching by weights", how.matching)
    network = Lifted(ends.module)
    names = [*ends.parameters, *ends.statistics]
    first, second = ({name: state[name].double().cpu() for name in names} for state in ends.states)
    vectors = torch.stack([torch.cat([state[name].flatten() for name in ends.parameters]) for state in (first, second)])
    orders = matching.by_weights(network, vectors, how.starts, (seed,))
    # Places are permuted, so that numbers keep their type.
    places = {name: torch.arange(value.numel()).view(1, *value.shape) for name, value in second.items()}
    moved = permutation_symmetry.permuted(places, network, orders)
    state: State = {
        name: value.flatten()[moved[name].flatten().to(value.device)].view(value.shape) if name in moved else value
        for name, value in ends.states[1].items()
    }
    after = torch.cat([second[name].flatten()[moved[name].flatten()] for name in ends.parameters])
    channels = torch.cat([order != torch.arange(len(order)) for order in orders.values()])
    attrs = {
        "aligned": f"by weights ({how.starts} random starts)",
        "distance_before": float((vectors[1] - vectors[0]).norm()),
        "distance_after": float((after - vectors[0]).norm()),
        "channels_renamed": float(channels.double().mean()),
    }
    return replace(ends, states=(ends.states[0], state)), attrs
