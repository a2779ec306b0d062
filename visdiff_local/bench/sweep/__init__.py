"""Sweeps: a grid of options × pairs × seeds, resumable, summarised with intervals."""

from visdiff_local.bench.sweep.execute import run_sweep
from visdiff_local.bench.sweep.output import summarise, write
from visdiff_local.bench.sweep.plan import Sweep, read_sweep

__all__ = ["Sweep", "read_sweep", "run_sweep", "summarise", "write"]
