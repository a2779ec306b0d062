"""What all tests of a comparison go by."""

from dataclasses import dataclass

from visdiff_local.comparisons.plan import Plan
from visdiff_local.comparisons.table import BoolArray, Labels, Table
from visdiff_local.config import RunConfig


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    """A comparison's N images, the parts they are compared in, and how.

    Args:
        clusters: (N,) which images belong together; None: with no other.
        explore: (N,) the half that proposes; the other half tests.
    """

    table: Table
    plan: Plan
    clusters: Labels
    explore: BoolArray
    config: RunConfig

    @property
    def validate(self) -> BoolArray:
        """(N,) the half that tests."""
        return ~self.explore
