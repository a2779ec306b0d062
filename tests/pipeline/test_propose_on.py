"""``--propose-on``: some prompts propose, all others test, and none does both."""

import numpy as np
import pytest

from visdiff_local.config import RunConfig
from visdiff_local.errors import InputError, ProblemsError
from visdiff_local.images import Column, ImageSet, Memory
from visdiff_local.pipeline import grouping, split
from visdiff_local.pipeline.read import Sets
from visdiff_local.pipeline.split import Fold
from visdiff_local.types import ImageRef

PROMPTS, EACH = 30, 3


def generator(name: str, order: np.random.Generator) -> ImageSet:
    """Three images a prompt, in any order; months run with the prompts."""
    places = order.permutation(PROMPTS * EACH).tolist()
    refs = tuple(ImageRef(f"{name}{i:03}", Memory(b"", f"{name}{i}")) for i in places)
    columns = {
        "prompt": Column.of([f"p{i // EACH}" for i in places]),
        "month": Column.of([i // EACH % 6 for i in places]),
        "image": Column.of([i % EACH for i in places]),
    }
    return ImageSet(name, refs, columns=columns)


def fold(rows: str, *, paired: bool = True, seed: int = 0) -> Fold:
    rng = np.random.default_rng(seed)
    a, b = generator("a", rng), generator("b", rng)
    by = "prompt" if paired else None
    config = RunConfig.checked(a="a", b="b", paired_by=by, propose_on=rows)
    sets = Sets(a, b, {}, grouping=grouping.of_sets(a, b, (), config))
    (made,) = split.folds(sets, config, rng)
    return made


def prompts(ids: set[str]) -> set[int]:
    return {int(id_[1:]) // EACH for id_ in ids}


def ids(half: split.Images) -> set[str]:
    return {ref.id for ref in half.refs}


@pytest.mark.parametrize("paired", [True, False])
def test_rows_that_are_named_propose_and_all_others_test(paired: bool) -> None:
    made = fold("month < 2", paired=paired)
    assert prompts(ids(made.explore)) == {p for p in range(PROMPTS) if p % 6 < 2}
    assert prompts(ids(made.validate)) == {p for p in range(PROMPTS) if p % 6 >= 2}
    assert made.drawn_in == 0


@pytest.mark.parametrize("share", ["20%", "0.2"])
@pytest.mark.parametrize("seed", range(5))
def test_a_share_is_of_whole_prompts(share: str, seed: int) -> None:
    made = fold(share, seed=seed)
    assert prompts(ids(made.explore)) & prompts(ids(made.validate)) == set()
    assert len(made.explore.refs) == 2 * EACH * 6
    assert len(made.validate.refs) == 2 * EACH * 24


def test_a_prompt_of_which_some_images_are_named_proposes_as_a_whole_and_is_counted() -> None:
    made = fold("month == 0 and image == 1")
    assert prompts(ids(made.explore)) == {p for p in range(PROMPTS) if p % 6 == 0}
    assert prompts(ids(made.explore)) & prompts(ids(made.validate)) == set()
    assert made.drawn_in == 2 * (EACH - 1) * 5


@pytest.mark.parametrize(
    ("rows", "wanted"),
    [
        ("month < 9", "no image of A is left to test on"),
        ("month > 9", "no row satisfies"),
        ("mont == 1", "did you mean 'month'"),
        ("month = 1", "did you mean =="),
    ],
)
def test_rows_that_leave_nothing_say_so(rows: str, wanted: str) -> None:
    with pytest.raises(InputError, match=wanted):
        fold(rows)


@pytest.mark.parametrize("share", ["0", "100%", "1.5", "30"])
def test_a_share_that_leaves_nothing_is_refused_before_anything_is_read(share: str) -> None:
    with pytest.raises(ProblemsError, match=r"30% or 0\.3"):
        RunConfig.checked(a="a", b="b", propose_on=share)


def test_it_is_refused_where_it_would_mean_nothing() -> None:
    for options in ({"cross_fit": True}, {"stats": "paper"}, {"hypotheses": ("a hat",)}):
        with pytest.raises(ProblemsError, match="--propose-on"):
            RunConfig.checked(a="a", b="b", propose_on="30%", **options)
