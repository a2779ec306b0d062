"""The probability of yes against yes or no: which separates the sets better by the true difference?

Pairs of drawn scenes of which a part is mixed away. The truth of each side is asked of the images
by the VLM, and of their captions by the language model: AUROC with P(yes) less AUROC with yes or
no, over the same images, with its 95% interval by bootstrap over pairs. Nothing is asked twice: yes
is P(yes) above one half. Prints the smaller lower limit last; above 0 the probability is better.

    python scripts/performance/p_yes_against_binary.py [--pairs 15] [--purity 0.6] [--store DIR]
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np

from visdiff_local.bench.drawn import Plan, drawn_pairs, pair_folder
from visdiff_local.bench.scenes.pairs import Pair
from visdiff_local.config import RunConfig
from visdiff_local.session import Launcher
from visdiff_local.stats import paired_bootstrap_difference


def main() -> None:
    arguments = parsed()
    plan = Plan(
        pairs=arguments.pairs,
        purity=arguments.purity,
        seed=arguments.seed,
        images=arguments.images,
    )
    with tempfile.TemporaryDirectory() as place, Launcher() as launcher:
        store = arguments.store or Path(place)
        pairs = [(pair, pair_folder(pair, plan, store / "bench")) for pair in drawn_pairs(plan)]
        lower = [compared(ranker, pairs, store, launcher) for ranker in ("caption-qa", "vqa")]
    print(f"lower limit {min(lower):.4f} (claimed: above 0)")


def compared(ranker: str, pairs: list[tuple[Pair, Path]], store: Path, launcher: Launcher) -> float:
    """Prints both mean AUROCs and their difference; the lower limit of the latter."""
    p_yes, binary = (
        [truths(pair, folder, store, launcher, ranker, binary=hard) for pair, folder in pairs]
        for hard in (False, True)
    )
    rng = np.random.default_rng(0)
    mean, low, high = paired_bootstrap_difference(p_yes, binary, rng)
    print(f"{ranker}: AUROC {np.mean(p_yes):.3f} with P(yes), {np.mean(binary):.3f} with yes or no")
    print(f"{ranker}: gain {mean:.4f} [{low:.4f}, {high:.4f}] over {len(pairs)} pairs")
    return low


def truths(
    pair: Pair, folder: Path, store: Path, launcher: Launcher, ranker: str, *, binary: bool
) -> list[float]:
    """AUROC of what is true of A, and of what is true of B, each for its own side."""
    config = RunConfig.checked(
        a=str(folder / "a"), b=str(folder / "b"), profile="nano", store=str(store),
        hypotheses=(pair.truth_a, pair.truth_b), ranker=ranker, binary=binary,
    )  # fmt: skip
    side = {pair.truth_a: "a", pair.truth_b: "b"}
    found = launcher.run(config).differences
    return [
        each.auroc if each.hypothesis.direction == side[each.hypothesis.text] else 1 - each.auroc
        for each in found
    ]


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--pairs", type=int, default=15, help="of each split")
    parser.add_argument("--images", type=int, default=100, help="a set")
    parser.add_argument("--purity", type=float, default=0.6)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--store", type=Path, help="keeps what was computed; else a new one")
    return parser.parse_args()


if __name__ == "__main__":
    main()
