"""Claim: half of 100 images a set is enough, at purity .3, for a ranker that knows every scene to
put the truth first among everything that can be said, in at least .95 of the hard pairs; what is
missed beyond that is missed by models and not for want of images. At purity .1 it is not enough:
there more images help, and cross-fitting, which tests on all of them.

    python scripts/performance/sample_size_ceiling.py [--pairs 20] [--images 100 500 2000]

No picture is drawn and no model is asked. Prints the oracle's Acc@1 and Acc@5 of each size, of a
half and of all images, and last the gain in Acc@1 from the smallest half to all of the most images,
with its interval over pairs.
"""

import argparse

import numpy as np

from visdiff_local.bench import ceilings
from visdiff_local.bench.accuracy import TOP
from visdiff_local.bench.drawn import Plan, drawn_pairs
from visdiff_local.bench.scenes.language.language import phrase
from visdiff_local.bench.scenes.language.vocabulary import DENIALS, SAYABLE
from visdiff_local.stats import paired_bootstrap, paired_bootstrap_difference

EVERYTHING = tuple(
    phrase(attribute, value)
    for table in (SAYABLE, DENIALS)
    for attribute, values in table.items()
    for value in values
)


def reached(plan: Plan, share: float) -> list[tuple[float, ...]]:
    """Acc@k of the oracle, one a pair, on this share of each set's images."""
    rng = np.random.default_rng(plan.seed)
    tested = round(plan.images * share)
    found = (
        ceilings.oracle(EVERYTHING, pair, (tested, tested), TOP, rng) for pair in drawn_pairs(plan)
    )
    return [tuple(best[k] for k in TOP) for best in found]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=20, help="of the split")
    parser.add_argument("--images", type=int, nargs="+", default=[100, 500, 2000], help="a set")
    parser.add_argument("--purity", type=float, default=0.3)
    parser.add_argument("--split", default="hard")
    parser.add_argument("--seed", type=int, default=501)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    first: list[float] = []
    for images in sorted(options.images):
        for share, name in ((0.5, "half of the images"), (1.0, "all (cross-fit)")):
            plan = Plan(options.pairs, 1, options.seed, options.purity, images, (options.split,))
            columns = list(zip(*reached(plan, share), strict=True))
            cells = []
            for k, values in zip(TOP, columns, strict=True):
                mean, low, high = paired_bootstrap([[value] for value in values], rng)
                cells.append(f"Acc@{k} {mean:.2f} [{low:.2f}, {high:.2f}]")
            print(f"{images:5d} a set, {name:20s} {'   '.join(cells)}", flush=True)
            last = list(columns[0])
            first = first or last
    pairs_of = [[[value] for value in values] for values in (last, first)]
    mean, low, high = paired_bootstrap_difference(*pairs_of, rng)
    print(f"gain in Acc@1 {mean:+.2f} [{low:+.2f}, {high:+.2f}]")


if __name__ == "__main__":
    main()
