"""The result of a test: :class:`TestStatistics`."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from visdiff_local.stats.design import Design
from visdiff_local.stats.ties import FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class TestStatistics:
    """Statistics of M hypotheses over the same images, each oriented to its own direction."""

    __test__: ClassVar[bool] = False  # no class of tests, whatever pytest makes of the name

    auroc: FloatArray
    """(M,) in [0, 1]; above 0.5 where the scores agree with the hypothesis. Within strata where
    they are given; of pairs, the share of pairs in which A's side scores higher."""
    ci: FloatArray
    """(M, 2) 95% interval of the AUROC, as if this hypothesis were the only one; what to show of
    those chosen for being large is :func:`multiplicity.shown_intervals`."""
    p_value: FloatArray
    """(M,) one-sided."""
    q_value: FloatArray
    """(M,) Benjamini–Hochberg over these M."""
    p_global: float
    """How often the best of M hypotheses looks this good when the labels mean nothing."""
    auroc_plain: FloatArray | None = None
    """(M,) across strata, as if there were none; None where there are none."""
    auroc_shrunk: FloatArray | None = None
    """(M,) the AUROC drawn towards the others': :func:`shrinkage.shrunken`."""
    se: FloatArray | None = None
    """(M,) standard error of the AUROC; 0 where it is not known."""
    df: FloatArray | None = None
    """(M,) degrees of freedom of ``se``."""
    correlation: FloatArray | None = None
    """(M, M) of the errors of the AUROCs."""
    icc: float | None = None
    """Intra-class correlation of the scores within clusters, mean over M; None without clusters."""
    attainable_p: float = 0.0
    """The smallest p that the relabellings of so few units can reach."""
    design: Design | None = None
    """What it was tested on."""

    @classmethod
    def empty(cls, design: Design) -> "TestStatistics":
        """Of no hypothesis at all."""
        none = np.zeros(0)
        return cls(
            auroc=none,
            ci=np.zeros((0, 2)),
            p_value=none,
            q_value=none,
            p_global=1.0,
            auroc_plain=none if design.stratified else None,
            auroc_shrunk=none,
            se=none,
            df=none,
            correlation=np.zeros((0, 0)),
            design=design,
        )

    def at(self, rows: IntArray) -> "TestStatistics":
        """The statistics of some of the hypotheses, int (K,)."""

        def taken(values: FloatArray | None) -> FloatArray | None:
            return None if values is None else values[rows]

        return replace(
            self,
            auroc=self.auroc[rows],
            ci=self.ci[rows],
            p_value=self.p_value[rows],
            q_value=self.q_value[rows],
            auroc_plain=taken(self.auroc_plain),
            auroc_shrunk=taken(self.auroc_shrunk),
            se=taken(self.se),
            df=taken(self.df),
            correlation=None if self.correlation is None else self.correlation[np.ix_(rows, rows)],
        )
