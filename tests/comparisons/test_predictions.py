"""What models get wrong, within class: causes, and what is the mix of classes alone."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.compared import colour_models, compare, confirmed, refused, table


@pytest.fixture(autouse=True)
def _colours_backend() -> Iterator[None]:
    with colour_models():
        yield


def failing(folder: Path) -> Path:
    """Right on nine of ten, but on two of ten that are red; cats are red more often."""
    rows = []
    for label, reds in (("cat", 40), ("dog", 40)):
        for i in range(80):
            red = i < reds
            wrong = i % 10 < (8 if red else 1)
            other = "dog" if label == "cat" else "cat"
            rows.append(
                (
                    "red" if red else ("blue", "green")[i % 2],
                    {"label": label, "model": other if wrong else label},
                )
            )
    return table(folder, rows)


def test_what_a_model_fails_on_is_found_with_its_accuracy(tmp_path: Path) -> None:
    content = compare(failing(tmp_path), "--errors", "label,model")
    assert confirmed(content)["a red square"] == "wrong"
    (red,) = [t for t in content["texts"] if t["text"] == "a red square"]
    (accuracy,) = red["accuracy"]
    assert accuracy["with_text"] == pytest.approx(0.2, abs=0.15)
    assert accuracy["without"] == pytest.approx(0.9, abs=0.1)
    assert accuracy["with_ci"][0] < accuracy["with_text"] < accuracy["with_ci"][1]


def test_what_is_of_the_class_mix_alone_is_marked_and_not_confirmed(tmp_path: Path) -> None:
    """Reds are failed as often as the rest of their class; of cats, most are red and failed."""
    rows = [
        ("red" if i < reds else ("blue", "green")[i % 2], {"label": label, "model": said})
        for label, reds, wrong in (("cat", 72, 7), ("dog", 8, 1))
        for i in range(80)
        for said in ["bird" if i % 10 < wrong else label]
    ]
    content = compare(table(tmp_path, rows), "--errors", "label,model", "--text", "a red square")
    (red,) = content["texts"]
    assert (red["class_mix"], red["verdict"], red["direction"]) == (True, "rejected", "wrong")
    assert red["auroc_plain"] > 0.7


def test_of_a_class_the_labels_say_whether_it_is_failed_more_often(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Called like what is seen, "red" images are of no use to tell failures within "red"."""
    rows = [
        (colour, {"label": f"{colour} square", "model": said})
        for colour, wrong in (("red", 6), ("blue", 1), ("green", 1))
        for i in range(40)
        for said in ["red square" if i % 10 < wrong and colour != "red"
                     else "blue square" if i % 10 < wrong else f"{colour} square"]
    ]  # fmt: skip
    content = compare(table(tmp_path, rows), "--errors", "label,model")
    (red,) = [t for t in content["texts"] if t["text"] == "a red square"]
    assert (red["class_mix"], red["direction"]) == (True, "wrong")
    assert red["auroc_plain"] == pytest.approx(0.8, abs=0.05)
    assert confirmed(content) == {}
    assert "class mix" in capsys.readouterr().out


def test_classes_of_one_image_each_say_to_name_coarser_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A thousand classes with an image each, as ImageNet's examples are."""
    rows = [
        (
            "red" if i % 2 else "blue",
            {"label": f"c{i}", "model": f"c{i}" if i % 2 else "c", "kind": "animal"},
        )
        for i in range(60)
    ]
    source = table(tmp_path, rows)
    assert refused(source, "--errors", "label,model") == 2
    assert "--within COLUMN" in capsys.readouterr().err
    content = compare(source, "--errors", "label,model", "--within", "kind")
    assert confirmed(content)["a blue square"] == "wrong"


def test_an_image_without_a_label_or_a_prediction_is_neither_right_nor_wrong(
    tmp_path: Path,
) -> None:
    rows = [
        ("red" if i % 2 else "blue", {"label": label, "m1": one, "m2": other})
        for i in range(80)
        for label, one, other in [
            ("", "", "dog") if i % 5 == 0
            else ("cat", "", "cat") if i % 5 == 1
            else ("cat", "dog" if i % 2 else "cat", "cat" if i % 2 else "dog")
        ]
    ]  # fmt: skip
    content = compare(table(tmp_path, rows), "--models", "label,m1,m2", "--text", "a red square")
    (part,) = content["comparisons"]
    assert (part["n_a"], part["n_b"]) == (24, 24)
    (red,) = [t for t in content["texts"] if t["text"] == "a red square"]
    counts = {one["images_with"] + one["images_without"] for one in red["accuracy"]}
    assert counts == {48}
    assert "32 images have no value in label, m1, m2" in " ".join(content["warnings"])
