"""Freed memory is used again inside the block, and given back behind it."""

import subprocess
import sys

import pytest

FAULTS = """
import contextlib, resource, sys
import numpy as np
from visdiff_local.system import heap

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        np.full(10_000_000, 1.0, dtype=np.float32)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

with heap.kept() if sys.argv[1] != "usual" else contextlib.nullcontext():
    faults()
    if sys.argv[1] == "nested":
        with heap.kept():
            faults()
    print(faults())
held = int(open("/proc/self/statm").read().split()[1]) * 4096
print(held)
"""


def run(how: str) -> tuple[int, int]:
    done = subprocess.run(
        [sys.executable, "-c", FAULTS, how], capture_output=True, text=True, check=True, timeout=300
    )
    faults, held = map(int, done.stdout.split())
    return faults, held


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc is Linux's")
@pytest.mark.parametrize("how", ["kept", "nested"])
def test_large_blocks_are_taken_once_and_given_back(how: str) -> None:
    (kept, held), (usual, held_usually) = run(how), run("usual")
    assert kept < usual / 5, "40 MB are taken anew each of twenty times"
    assert held < held_usually + (20 << 20)
