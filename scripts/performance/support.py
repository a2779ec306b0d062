"""Claim: a text that no image shows is not confirmed, and true differences stay confirmed.

    python scripts/performance/support.py [--pairs 20] [--absent 5] [--seed 0]

On pairs of drawn scenes the true difference is tested beside texts about kinds that are in no image
of either set. Prints the share of the absent ones that is confirmed last.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np

from visdiff_local.bench.drawn import Plan, drawn_pairs, pair_folder
from visdiff_local.bench.null import share
from visdiff_local.bench.scenes.language.language import phrase
from visdiff_local.bench.scenes.world import KINDS
from visdiff_local.config import RunConfig
from visdiff_local.session import Launcher

TOLD = ("confirmed", "unsupported")
"""Verdicts of a text that would be confirmed if support were not asked."""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=20, help="of each difficulty")
    parser.add_argument("--absent", type=int, default=5, help="texts about other kinds, a pair")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    plan = Plan(pairs=options.pairs, seed=options.seed)
    rng = np.random.default_rng(options.seed)
    kept, told, absent, false, told_absent = 0, 0, 0, 0, 0
    with tempfile.TemporaryDirectory() as scratch, Launcher() as engine:
        for pair in drawn_pairs(plan):
            folder = pair_folder(pair, plan, Path(scratch))
            shown = {scene.kind for scene in (*pair.a, *pair.b)}
            others = [kind for kind in KINDS if kind not in shown]
            chosen = rng.choice(others, min(options.absent, len(others)), replace=False)
            strange = [phrase("kind", str(kind)) for kind in chosen]
            config = RunConfig.checked(
                a=str(folder / "a"),
                b=str(folder / "b"),
                hypotheses=(pair.truth_a, pair.truth_b, *strange),
                store=str(Path(scratch) / "store"),
            )
            found = {item.text: item for item in engine.run(config).differences}
            for text, side in ((pair.truth_a, "a"), (pair.truth_b, "b")):
                item = found.get(text)
                if item is not None and item.direction == side and item.verdict in TOLD:
                    told += 1
                    kept += item.verdict == "confirmed"
            absent += len(strange)
            false += sum(found[text].verdict == "confirmed" for text in strange if text in found)
            told_absent += sum(found[text].verdict in TOLD for text in strange if text in found)
    stay, low, high = share(kept, max(told, 1))
    print(f"true and confirmed still: {kept} of {told}: {stay:.3f} [{low:.3f}, {high:.3f}]")
    print(f"texts about absent kinds that separate the sets: {told_absent} of {absent}")
    rate, low, high = share(false, max(absent, 1))
    print(f"absent and confirmed: {false} of {absent}: {rate:.3f} [{low:.3f}, {high:.3f}]")


if __name__ == "__main__":
    main()
