"""Keys: equal exactly where the question is the same."""

from hypothesis import given
from hypothesis import strategies as st

from visdiff_local.store.keys import key, keys

SETTINGS = st.dictionaries(st.text(max_size=5), st.one_of(st.integers(), st.text(max_size=5)))


QUESTION = st.tuples(st.text(max_size=9), st.text(max_size=9), st.text(max_size=9), SETTINGS)


@given(QUESTION, QUESTION)
def test_equal_keys_mean_equal_questions(
    one: tuple[str, str, str, dict[str, object]], other: tuple[str, str, str, dict[str, object]]
) -> None:
    def key_of(question: tuple[str, str, str, dict[str, object]]) -> str:
        task, model, prompt, options = question
        return key(task, model=model, prompt=prompt, image="", settings=options)  # type: ignore[arg-type]

    assert (key_of(one) == key_of(other)) == (one == other)


def test_a_key_depends_on_everything_and_not_on_the_order_of_settings() -> None:
    base = {"model": "m", "prompt": "p", "image": "i", "settings": {"a": 1, "b": 2}}
    plain = key("t", **base)  # type: ignore[arg-type]
    assert plain == key("t", **{**base, "settings": {"b": 2, "a": 1}})  # type: ignore[arg-type]
    others = [
        key("u", **base),  # type: ignore[arg-type]
        *(key("t", **{**base, name: "other"}) for name in ("model", "prompt", "image")),  # type: ignore[arg-type]
        key("t", **{**base, "settings": {"a": 1, "b": "2"}}),  # type: ignore[arg-type]
    ]
    assert len({plain, *others}) == 6
    assert keys("t", ["i", "j"], model="m", prompt="p", settings={"a": 1, "b": 2})[0] == plain
    assert key("t", model="um", prompt="") != key("tu", model="m", prompt="")
    assert key("t", model="m", prompt="\udcff") != key("t", model="m", prompt="\udcfe")
