"""Replies of proposers and judges, real and invented, come out clean or not at all."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.paths import shared
from visdiff_local.prompts import replies as parsing

WORDS = st.text(alphabet="abcdefghijklmnopqrstuvwxyz", min_size=3, max_size=8).filter(
    lambda word: word not in ("nothing", "none", "null", "caption", "captions")
)
PHRASES = (
    st.lists(WORDS, min_size=1, max_size=6).map(" ".join).filter(lambda p: parsing.phrase(p) == p)
)
MARKERS = st.sampled_from(["* ", "- ", "• ", "1. ", "12) ", "(3) ", " * ", "– "])
QUOTES = st.sampled_from([("", ""), ('"', '"'), ("“", "”"), ("'", "'"), ("**", "**"), ('"', '".')])


@pytest.fixture(scope="module")
def real() -> dict[str, list[str]]:
    path = shared("data/gpt4_outputs.json")
    replies: dict[str, list[str]] = json.loads(path.read_text(encoding="utf-8"))
    return replies


def test_the_published_replies_give_thirty_clean_hypotheses(real: dict[str, list[str]]) -> None:
    found = [text for reply in real["proposer_replies"] for text in parsing.hypotheses(reply)]
    assert len(found) == 30
    assert len({text.casefold() for text in found}) == 30
    for text in found:
        assert text == text.strip()
        assert not set(text) & set('"“”*•`')
        assert text[0].isalnum()
    assert found[0] == "Yoga poses"
    assert "man meditating with a red cap on a mountain top" in found


def test_the_published_grades_are_read(real: dict[str, list[str]]) -> None:
    assert [parsing.grade(text) for text in real["grades"]] == [1, 1, 1, 2, 1]


@given(st.lists(PHRASES, min_size=1, max_size=12, unique=True), st.data())
def test_whatever_the_list_style_the_phrases_come_back(
    phrases: list[str], data: st.DataObject
) -> None:
    lines = []
    for text in phrases:
        left, right = data.draw(QUOTES)
        lines.append(data.draw(MARKERS) + left + text + right)
    reply = data.draw(st.sampled_from(["", "Here are the concepts:\n\n"])) + "\n".join(lines)
    assert parsing.hypotheses(reply) == tuple(phrases)


@given(st.lists(PHRASES, max_size=12, unique=True))
def test_json_replies(phrases: list[str]) -> None:
    for reply in (
        json.dumps(phrases),
        json.dumps({"differences": phrases}),
        json.dumps([{"concept": text} for text in phrases]),
        "```json\n" + json.dumps(phrases) + "\n```",
    ):
        assert parsing.hypotheses(reply) == tuple(phrases)


@given(st.text(max_size=300))
def test_any_text_gives_only_clean_phrases(text: str) -> None:
    found = parsing.hypotheses(text)
    assert len({item.casefold() for item in found}) == len(found)
    for item in found:
        assert item == " ".join(item.split())
        assert '"' not in item
        assert len(item.split()) <= parsing.MAX_WORDS
        assert parsing.phrase(item) == item


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("3 dogs on a beach", "3 dogs on a beach"),
        ("1.5 litre bottles", "1.5 litre bottles"),
        ("* men's gymnastics", "men's gymnastics"),
        ("1. **Night scenes**: A has many of them", "Night scenes"),
        ('* "Neon signs" - seen in most images of the street', "Neon signs"),
        ("- black-and-white photos", "black-and-white photos"),
        ("* a photo of a red car.", "a red car"),
        ("* a vintage photo of a red car", "a vintage photo of a red car"),
        ("* Dogs</s>", "Dogs"),
        ("* people wearing scarves<|eot_id|>", "people wearing scarves"),
        ("* close-up views", "close-up views"),
        ("*Sunset*", "Sunset"),
    ],
)
def test_single_lines(line: str, expected: str) -> None:
    assert parsing.hypotheses(line) == (expected,)


@pytest.mark.parametrize(
    "line",
    [
        "* captions that mention a dog",
        "* more often indoors",
        "* dogs described as happy",
        "* stock photos",
        "* people in group A",
        "* images of Set A",
        "* objects in the top half",
        "* nothing",
        "None.",
        "* N/A",
        "No clear difference",
        "There are no differences between them",
        "I cannot see the images.",
        "* ***",
        "",
        "   \n \n",
        "* " + "word " * 40,
    ],
)
def test_what_is_no_hypothesis_is_refused(line: str) -> None:
    assert parsing.hypotheses(line) == ()


def test_equal_up_to_case_counts_once() -> None:
    assert parsing.hypotheses("* Dogs\n* dogs\n* DOGS.\n* cats") == ("Dogs", "cats")


def test_preamble_and_afterword_are_left_out() -> None:
    reply = "Sure! Here they are.\n1. dogs\n2. snow\nI hope that this helps."
    assert parsing.hypotheses(reply) == ("dogs", "snow")


def test_nothing_is_an_answer_and_garbage_is_not() -> None:
    assert parsing.says_nothing("* nothing\n")
    assert parsing.says_nothing("There is no difference.")
    assert not parsing.says_nothing("")
    assert not parsing.says_nothing("* captions that mention dogs")
    assert not parsing.says_nothing("* nothing\n* a dog")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2", 2), (" 0\n", 0), ("Grade: 1", 1), ('{"grade": 2}', 2), ("**1**", 1), ("2/2", 2),
        ("1 out of 2", 1), ("10", None), ("3", None), ("", None), ("2 or 1", None), ("true", None),
        ("I would say 2 since it matches", None), ("[2]", None), ("0.5", None), ("-1", None),
        ("*2*.", 2),
    ],
)  # fmt: skip
def test_grades(text: str, expected: int | None) -> None:
    assert parsing.grade(text) == expected
