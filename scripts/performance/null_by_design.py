"""Claim: where nothing differs, a difference is confirmed in at most 5 % of runs, whatever belongs
together: clusters, a third variable, pairs that respond each in their own way.

    python scripts/performance/null_by_design.py [--runs 400] [--seed 0]

20 clusters of 10 images a set; 30 texts fixed beforehand, or the best 30 of 200 on the explore
half; an attribute of a class that is common in A and rare in B; pairs with an interaction of id and
set. Prints the largest share of false finds last.
"""

import _synthetic as synthetic
import numpy as np

from visdiff_local import stats

TEXTS, PROPOSED = 30, 200
Rng = np.random.Generator


def in_clusters(icc: float, chosen: bool, rng: Rng) -> bool:
    """Whether anything is confirmed with 20 clusters of 10 images a set."""
    images, cluster = 400, np.arange(400) // 10
    design = stats.Design(np.arange(images) < 200, clusters=cluster)
    rows = PROPOSED if chosen else TEXTS
    scores = np.sqrt(1 - icc) * synthetic.alike(rows, images, rng)
    scores += np.sqrt(icc) * synthetic.alike(rows, 40, rng)[:, cluster]
    if chosen:
        explore = design.halve(rng)
        best = np.argsort(stats.auroc(scores[:, explore], design.is_a[explore]))[-TEXTS:]
        scores, design = scores[best][:, ~explore], design.subset(~explore)
    return bool(synthetic.confirmed(stats.test(scores, design, rng=rng)).any())


def cross_fitted(rng: Rng) -> bool:
    """Whether anything is confirmed of independent images where each half proposes the 30 of 200
    texts that are best on it, and tests those of the other half."""
    design = stats.Design(np.arange(400) < 200)
    scores = synthetic.alike(PROPOSED, 400, rng)
    half = design.halve(rng)
    folds, texts = [], []
    for explore in (half, ~half):
        best = np.argsort(stats.auroc(scores[:, explore], design.is_a[explore]))[-TEXTS:]
        texts.append(best.tolist())
        folds.append(stats.test(scores[best][:, ~explore], design.subset(~explore), rng=rng))
    rows = [
        [text_of.index(text) if text in text_of else -1 for text_of in texts]
        for text in sorted({*texts[0], *texts[1]})
    ]
    return bool(synthetic.confirmed(stats.combine_folds(folds[0], folds[1], rows)).any())


def of_a_third_variable(rng: Rng) -> tuple[bool, bool, bool]:
    """Whether the class's attribute is confirmed within classes, and one that differs within them;
    and that one where both sets have the same mix of classes, which is all its power."""
    is_a = np.arange(400) < 200
    mixed = rng.random(400) < np.where(is_a, 0.8, 0.2)
    even = rng.random(400) < 0.5
    found = []
    for kind in (mixed, even):
        scores = synthetic.alike(20, 400, rng)
        scores[0] += 2.0 * kind
        scores[1, is_a] += synthetic.shift(0.66)
        tested = stats.test(scores, stats.Design(is_a, strata=kind.astype(int)), rng=rng)
        found.append(synthetic.confirmed(tested))
    return bool(found[0][0]), bool(found[0][1]), bool(found[1][1])


def in_pairs(interaction: float, rng: Rng) -> bool:
    """Whether anything is confirmed of 40 ids with three images a side."""
    pair = np.tile(np.repeat(np.arange(40), 3), 2)
    is_a = np.arange(240) < 120
    ids = synthetic.alike(TEXTS, 40, rng)[:, pair]
    own = synthetic.alike(TEXTS, 80, rng)[:, pair + 40 * is_a]
    scores = ids + np.sqrt(interaction) * own
    scores += np.sqrt(1 - interaction) * synthetic.alike(TEXTS, 240, rng)
    return bool(
        synthetic.confirmed(stats.test(scores, stats.Design(is_a, pairs=pair), rng=rng)).any()
    )


def main() -> None:
    options = synthetic.options(__doc__ or "", 400)
    runs, rng = options.runs, np.random.default_rng(options.seed)
    rows, worst = [], 0.0
    for chosen in (False, True):
        for icc in (0.0, 0.1, 0.3, 0.5):
            hits = sum(in_clusters(icc, chosen, rng) for _ in range(runs))
            worst = max(worst, hits / runs)
            texts = "30 best of 200" if chosen else "30 fixed"
            rows.append((f"clusters, ICC {icc}, {texts}", synthetic.rate(hits, runs)))
            print(*rows[-1], flush=True)
    hits = sum(cross_fitted(rng) for _ in range(runs))
    worst = max(worst, hits / runs)
    rows.append(("cross-fitted, 30 best of 200 either way", synthetic.rate(hits, runs)))
    simpson = np.array([of_a_third_variable(rng) for _ in range(runs)]).sum(axis=0)
    worst = max(worst, simpson[0] / runs)
    rows.append(("third variable: its attribute", synthetic.rate(simpson[0], runs)))
    rows.append(("third variable: a true one within", synthetic.rate(simpson[1], runs)))
    rows.append(("the true one, were the mix even", synthetic.rate(simpson[2], runs)))
    for interaction in (0.0, 0.1, 0.3, 0.5):
        hits = sum(in_pairs(interaction, rng) for _ in range(runs))
        worst = max(worst, hits / runs)
        rows.append((f"pairs, interaction {interaction}", synthetic.rate(hits, runs)))
    synthetic.table(rows)
    print(f"largest share of false finds {worst:.3f}")


if __name__ == "__main__":
    main()
