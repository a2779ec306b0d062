"""RunConfig: defaults, effective values, and all problems reported together."""

import json

import pytest

from visdiff_local.config import Options, RunConfig
from visdiff_local.errors import ProblemsError


def test_defaults_are_the_papers() -> None:
    config = RunConfig.checked(a="x", b="y")
    assert (config.rounds, config.samples, config.per_round) == (3, 20, 10)
    assert config.proposer == ("caption",)
    assert config.ranker_names == ("clip",)


def test_every_problem_is_reported_at_once() -> None:
    with pytest.raises(ProblemsError) as caught:
        RunConfig.checked(
            a="x", b="y", alpha=7, stats="foo", ranker="clip>foo", proposer="gpt", seed=-1
        )
    message = str(caught.value)
    assert len(caught.value.problems) == 5
    for part in ("--alpha", "it is 7", "--stats", "--ranker", "unknown proposer", "--seed"):
        assert part in message


@pytest.mark.parametrize("alpha", [0, 1, -0.1, 7, float("nan"), "much"])
def test_alpha_lies_between_0_and_1(alpha: object) -> None:
    with pytest.raises(ProblemsError, match="--alpha"):
        RunConfig.checked(a="x", b="y", alpha=alpha)


def test_unknown_options_are_refused() -> None:
    with pytest.raises(ProblemsError, match="--colour"):
        RunConfig.checked(a="x", b="y", colour="red")


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"where_a": "dogs"}, "--a and --b"),
        ({"stats": "paper", "cross_fit": True}, "--cross-fit"),
        ({"truth_b": "a cat"}, "--truth-a"),
        ({"hypotheses": ("a dog", "  ")}, "empty"),
    ],
)
def test_options_that_do_not_go_together(options: dict[str, object], why: str) -> None:
    with pytest.raises(ProblemsError, match=why):
        RunConfig.checked(a="x", b="y", **options)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("none", ()),
        ("caption", ("caption",)),
        ("caption, keyword", ("caption", "keyword")),
        ("image,image", ("image",)),
    ],
)
def test_proposers_are_named_with_commas(given: str, expected: tuple[str, ...]) -> None:
    assert RunConfig.checked(a="x", b="y", proposer=given).proposer == expected


@pytest.mark.parametrize("ranker", ["", "clip>vqa+clip", "clip+clip", "clip>", "clip vqa"])
def test_rankers_that_do_not_exist(ranker: str) -> None:
    with pytest.raises(ProblemsError, match="--ranker"):
        RunConfig.checked(a="x", b="y", ranker=ranker)


def test_a_cascade_names_its_rankers_in_order() -> None:
    assert RunConfig.checked(a="x", b="y", ranker="clip>vqa").ranker_names == ("clip", "vqa")


def test_as_dict_is_json_and_builds_the_same_configuration() -> None:
    config = RunConfig.checked(a="x", b="y", hypotheses=("a dog", "a dog", "a cat"), alpha=0.01)
    again = RunConfig.checked(**json.loads(json.dumps(config.as_dict())))
    assert again == config
    assert config.hypotheses == ("a dog", "a cat")


def test_the_typed_options_are_those_of_a_run() -> None:
    given_otherwise = {"a", "b", "out", "profile", "hypotheses"}
    missing = set(RunConfig.model_fields) - given_otherwise - set(Options.__annotations__)
    assert missing == set(), "add them to config.Options, and Python users have them"
    assert set(Options.__annotations__) <= set(RunConfig.model_fields)
