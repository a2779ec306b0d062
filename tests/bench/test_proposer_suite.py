"""``bench proposer``: which language model proposes best."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from visdiff_local.bench import proposer
from visdiff_local.bench.abstract import WORDS, abstract_pairs
from visdiff_local.bench.scenes.world import KIND_GROUPS
from visdiff_local.cli.main import cli
from visdiff_local.errors import InputError
from visdiff_local.pipeline.proposers.keyword import contrastive


def test_no_caption_of_an_abstract_pair_says_its_concept() -> None:
    for pair in abstract_pairs(10, 0, n=30):
        if pair.concept_a in KIND_GROUPS:
            named = [text for text in (*pair.a, *pair.b) if f" {pair.concept_a} " in f" {text} "]
            assert not named


def test_words_alone_fail_on_most_abstract_pairs() -> None:
    pairs = abstract_pairs(20, 0, n=50)
    found = [
        any(pair.grade(text) == 2 for text, _ in contrastive(pair.a, pair.b)[:10]) for pair in pairs
    ]
    assert sum(found) <= 4, "but for a room, which is indoors in so many words"


@pytest.mark.parametrize(
    ("text", "grade"),
    [
        ("animals", 2),
        ("an animal", 2),
        ("wildlife", 2),
        ("animals in the snow", 1),
        ("a dog", 1),
        ("vehicles", 0),
        ("animals and vehicles", 0),
        ("snow", 0),
    ],
)
def test_abstract_proposals_are_graded(text: str, grade: int) -> None:
    pairs = abstract_pairs(60, 0, n=4)
    pair = next(p for p in pairs if (p.concept_a, p.concept_b) == ("animal", "vehicle"))
    assert pair.grade(text) == grade


def test_every_concept_has_words() -> None:
    assert set(WORDS) == {*KIND_GROUPS, "indoors", "outdoors"}


def test_pairs_are_the_same_for_a_seed_and_more_pairs_keep_the_first() -> None:
    assert abstract_pairs(5, 1, n=8) == abstract_pairs(9, 1, n=8)[:5]
    assert abstract_pairs(5, 1, n=8) != abstract_pairs(5, 2, n=8)


def test_a_row_a_split_with_the_fields_of_the_contract() -> None:
    result = CliRunner().invoke(
        cli,
        ["bench", "proposer", "--profile", "nano", "--split", "easy", "--split", "none",
         "--pairs", "2", "--json", "--quiet"],
        catch_exceptions=False,
    )  # fmt: skip
    told = json.loads(result.stdout)
    assert told["suite"] == "proposer"
    easy, none = told["results"]
    assert {"llm", "pairs", "recall", "precision", "direction", "unparsed"} <= set(easy)
    assert (easy["llm"], easy["split"], easy["pairs"]) == ("nano-llama", "easy", 2)
    assert easy["recall"] == easy["keyword_recall"] == 1.0
    assert none["recall"] == 0.0


def test_your_own_captions_are_a_pair(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text(
        "group_name,path,caption\n" + "y,1,doing yoga on a hill\nm,2,meditating on a hill\n" * 5
    )
    pair = proposer.of_table(table, "yoga", "meditation")
    assert (len(pair.a), len(pair.b)) == (5, 5)
    assert pair.grade("women doing yoga", "a") == 2
    assert pair.grade("yoga", "b") == 0
    assert pair.grade("meditating people", "b") == 2
    table.write_text("group_name,caption\none,x\n")
    with pytest.raises(InputError, match="1 groups"):
        proposer.of_table(table, "yoga", "meditation")


def test_rows_are_counts_of_outcomes() -> None:
    def outcome(pair: str, grades: list[int], right: int, wrong: int) -> proposer.Outcome:
        found = tuple((str(i), grade) for i, grade in enumerate(grades))
        return proposer.Outcome("hard", pair, found, right, wrong, 0, keyword=False)

    some = [outcome("x", [0, 2], 3, 0), outcome("y", [1, 0], 0, 1), outcome("z", [], 0, 0)]
    (row,) = proposer.rows("m", some, np.random.default_rng(0))
    assert (row["recall"], row["precision"]) == (pytest.approx(1 / 3), 0.5)
    assert (row["direction"], row["silent"]) == (0.75, 1)
