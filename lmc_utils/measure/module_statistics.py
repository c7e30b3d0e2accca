"""Re-estimation of the running statistics of any PyTorch module on fixed samples."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import nn

from lmc_utils.measure.batches import Batch, Batches
from lmc_utils.measure.batchnorm import Used, reestimate
from lmc_utils.measure.module_outputs import outputs
from lmc_utils.measure.module_state import norms
from lmc_utils.measure.user_code_errors import reported
from lmc_utils.settings import ParameterError


@dataclass(frozen=True)
class Reestimation:
    """Re-estimates the running statistics of a module on samples, see `batchnorm.reestimate`.

    Attributes:
        module: in evaluation mode; it gets new running statistics.
        samples: the samples to use.
    """

    module: nn.Module
    samples: Batches

    def run(self) -> Used:
        """Re-estimate the statistics for the module's current parameters."""
        with reported(
            "batchnorm: statistics cannot be re-estimated, choose interpolate or keep; a batch in training mode raised"
        ):
            return reestimate(
                list(norms(self.module).values()), self.samples, self._output, size=lambda each: each.size
            )

    @cached_property
    def used(self) -> Used:
        """The samples and batches that are used: those that torch accepts, determined in a first pass.

        Raises:
            ParameterError: no usable batch, or a network that uses statistics without calling the module that holds
                them.
        """
        used = self.run()
        if used.uncalled and any(bool(part.isnan().any()) for part in outputs(self._output(next(iter(self.samples))))):
            names = [list(norms(self.module))[number] for number in used.uncalled]
            raise ParameterError(
                f"batchnorm: the network never calls {', '.join(names[:3])} but uses the statistics, which "
                "therefore cannot be re-estimated; choose interpolate or keep"
            )
        return used

    def takes(self, batch: Batch) -> bool:
        """Whether the normalisations accept a batch, by trial; afterwards their statistics are those of this batch."""
        try:
            return bool(replace(self, samples=Batches([batch], batch.size, 1, "")).run().batches)
        except ParameterError:
            return False

    @property
    def description(self) -> str:
        """The samples in words; if torch rejects some, the number that is used."""
        given, used = self.samples, self.used
        if used[:2] == (given.samples, given.count):
            return given.description
        counts = f"{used.samples:,} of {given.samples:,} samples in {used.batches:,} of {given.count:,} batches"
        _, *noticed = given.description.split("; ")
        return "; ".join([counts, "torch takes no statistics of the others", *noticed])

    def _output(self, batch: Batch) -> object:
        with torch.no_grad():
            return batch.to(next(self.module.parameters()).device).run(self.module)
