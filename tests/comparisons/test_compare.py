"""Many sets end to end: what is planted in a part is found there, and nowhere else."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.support.colours import Colours
from tests.support.compared import cameras, colour_models, compare, confirmed, refused, table
from visdiff_local.cli.main import main


@pytest.fixture(autouse=True)
def _colours_backend() -> Iterator[None]:
    with colour_models():
        yield


def test_a_group_that_differs_is_named_with_its_text(tmp_path: Path) -> None:
    content = compare(cameras(tmp_path), "--by", "camera")
    assert confirmed(content) == {"a red square": "camera 2"}
    assert (content["kind"], content["groups"]) == ("groups", ["camera 1", "camera 2", "camera 3"])
    (red,) = [t for t in content["texts"] if t["text"] == "a red square"]
    assert red["by_group"]["camera 2"]["auroc"] > 0.95
    assert red["by_group"]["camera 1"]["verdict"] == "rejected"
    page = (tmp_path / "out" / "report.html").read_text()
    assert "camera 3" in page
    assert "a red square" in page
    assert 'href="#text-1"' in page, "the table leads to the pictures"
    assert 'id="text-1"' in page


def test_every_image_is_looked_at_once_by_the_embedder_however_many_groups(tmp_path: Path) -> None:
    compare(cameras(tmp_path), "--by", "camera", "--text", "a red square")
    assert max(Colours.asked_images.count(id_) for id_ in set(Colours.asked_images)) == 1


def test_what_rises_over_the_months_is_found_and_what_does_not_is_not(tmp_path: Path) -> None:
    rows = [
        ("red" if i % 6 < month else ("blue", "green")[i % 2], {"month": f"2024-{month + 1:02d}"})
        for month in range(6)
        for i in range(24)
    ]
    content = compare(table(tmp_path, rows), "--by", "month", "--ordered")
    assert confirmed(content)["a red square"] == "late month"
    means = list(content["texts"][0]["trend"]["means"].values())
    assert means[0] < means[-1]


def test_a_class_that_changed_is_named_and_the_others_are_not(tmp_path: Path) -> None:
    rows = [
        (
            "red" if version == "v2" and label == "cat" else ("blue", "green")[i % 2],
            {"version": version, "label": label},
        )
        for version in ("v1", "v2")
        for label in ("cat", "dog")
        for i in range(40)
    ]
    source = table(tmp_path, rows)
    sides = ["--a", "version == 'v1'", "--b", "version == 'v2'"]
    content = compare(source, "--each", "label", *sides)
    by_part = {part["name"]: part["confirmed"] for part in content["comparisons"]}
    assert any("a red square" in found for found in by_part["cat"])
    assert by_part["dog"] == []
    (red,) = [t for t in content["texts"] if t["text"] == "a red square"]
    assert red["part"] == "cat", "not all classes together"


def test_what_goes_with_a_score_is_found(tmp_path: Path) -> None:
    rows = [
        (colour := ("red", "blue", "green")[i % 3], {"score": f"{(colour == 'red') + i / 1000}"})
        for i in range(120)
    ]
    content = compare(table(tmp_path, rows), "--score", "score")
    assert confirmed(content)["a red square"] == "high score"


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ((), "say what to compare"),
        (("--by", "camera", "--score", "camera"), "say what to compare"),
        (("--ordered", "--score", "camera"), "--ordered goes with --by"),
        (("--each", "camera"), "it needs them"),
        (("--by", "kamera"), "camera"),
        (("--score", "camera"), "no number"),
        (("--score", "same"), "the same number, 1, everywhere"),
        (("--score", "none"), "holds no number"),
        (("--by", "same"), "only the value '1'"),
        (("--errors", "camera,same"), "must be written alike"),
        (("--errors", "camera"), "--errors LABEL,MODEL"),
        (("--models", "camera,same"), "--models LABEL,MODEL_1,MODEL_2"),
        (("--models", "models.toml"), "--models-file models.toml"),
    ],
)
def test_what_cannot_be_compared_says_what_to_type(
    tmp_path: Path, options: Sequence[str], wanted: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refused(cameras(tmp_path), *options) == 2
    assert wanted in capsys.readouterr().err


def test_a_trend_is_drawn_with_its_band_in_the_order_of_the_numbers(tmp_path: Path) -> None:
    rows = [
        ("red" if i % 12 < month else ("blue", "green")[i % 2], {"month": f"month {month + 1}"})
        for month in range(12)
        for i in range(12)
    ]
    source = table(tmp_path, rows)
    content = compare(source, "--by", "month", "--ordered", "--text", "a red square")
    trend = content["texts"][0]["trend"]
    assert list(trend["means"]) == [f"month {number + 1}" for number in range(12)]
    for label, (low, high) in trend["bands"].items():
        assert low <= trend["means"][label] <= high
    assert 'class="track-band"' in (tmp_path / "out" / "report.html").read_text()


def test_a_band_counts_a_cluster_as_one_witness_and_says_so(tmp_path: Path) -> None:
    rows = [
        ("red" if (day := i // 8) % 4 < (0, 1, 3, 4)[month] else "blue",
         {"month": f"{1 + month}", "day": f"{day}"})
        for i in range(128)
        for month in [i // 32]
    ]  # fmt: skip
    source = table(tmp_path, rows)
    widths = []
    for more in ((), ("--cluster-by", "day")):
        content = compare(source, "--by", "month", "--ordered", "--text", "a red square", *more)
        bands = content["texts"][0]["trend"]["bands"]
        assert list(bands) == ["1", "2", "3", "4"]
        widths.append(sum(high - low for low, high in bands.values()))
    assert widths[1] > 2 * widths[0]
    assert "(each <bdi>day</bdi> one witness)" in (tmp_path / "out" / "report.html").read_text()


def test_very_many_groups_are_said_to_be_many_before_the_work_begins(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("visdiff_local.comparisons.remarks.MANY", 2)
    source = cameras(tmp_path)
    given = ["--profile", "colours", "--models-file", str(tmp_path / "models.toml")]
    given += ["--store", str(tmp_path / "store"), "--out", str(tmp_path / "out")]
    assert main(["compare", str(source), "--by", "camera", *given]) == 0
    said = capsys.readouterr().err
    assert said.index("warning: 3 parts, half of them with at most ") < said.index("caption")
    (kept,) = [
        w
        for w in json.loads((tmp_path / "out" / "comparison.json").read_text())["warnings"]
        if "parts" in w
    ]
    assert "a coarser column does better" in kept


@pytest.mark.parametrize("ranker", ["vqa", "caption-qa", "clip+vqa"])
def test_every_ranker_but_a_cascade_serves(tmp_path: Path, ranker: str) -> None:
    content = compare(cameras(tmp_path), "--by", "camera", "--ranker", ranker)
    assert confirmed(content) == {"a red square": "camera 2"}


def test_a_sample_to_rank_is_refused_and_a_sample_to_read_is_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = cameras(tmp_path)
    assert refused(rows, "--by", "camera", "--rank-sample", "5") == 2
    assert "--max-images N draws" in capsys.readouterr().err
    assert compare(rows, "--by", "camera", "--max-images", "40")["images"] == 40


def test_a_cascade_is_refused_for_many_sets(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refused(cameras(tmp_path), "--by", "camera", "--ranker", "clip>vqa") == 2
    assert "--ranker" in capsys.readouterr().err


def test_images_of_a_cluster_count_as_one(tmp_path: Path) -> None:
    """Four sites a camera, each of one colour: chance, as seen by sites."""
    rows = [
        (
            "red" if (camera, site) in {(2, 0), (2, 1), (2, 2), (1, 0)} else "blue",
            {"camera": f"camera {camera}", "site": f"s{camera}{site}"},
        )
        for camera in (1, 2)
        for site in range(4)
        for _ in range(25)
    ]
    source = table(tmp_path, rows)
    asked = ("--by", "camera", "--text", "a red square")
    assert confirmed(compare(source, *asked)) != {}
    assert confirmed(compare(source, *asked, "--cluster-by", "site")) == {}


def test_a_step_is_shown_between_the_groups_where_it_may_lie(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Red from the fourth month on."""
    rows = [
        ("red" if month > 3 and i % 8 else ("blue", "green")[i % 2], {"month": name})
        for month, name in enumerate(["Jan", "Feb", "Mar", "Apr", "May", "Jun"], start=1)
        for i in range(16)
    ]
    content = compare(table(tmp_path, rows), "--by", "month", "--ordered")
    assert content["groups"] == ["Jan", "Feb", "Mar", "Apr", "May", "Jun"]
    (red,) = [t for t in content["texts"] if t["text"] == "a red square"]
    change = red["trend"]["change"]
    assert (change["before"], change["after"], change["rises"]) == ("Mar", "Apr", True)
    assert (change["shape"], change["earliest"], change["latest"]) == ("step", "Mar", "Apr")
    assert change["q_value"] < 0.01
    assert "between Mar and Apr" in (tmp_path / "out" / "report.html").read_text()
    assert "a red square: if in one step, it rises between Mar and Apr" in capsys.readouterr().out


def test_names_that_tell_no_order_are_said_and_groups_that_are_too_small(tmp_path: Path) -> None:
    rows = [
        (("red", "blue")[i % 2], {"size": size})
        for size, count in (("low", 30), ("high", 30), ("", 3))
        for i in range(count)
    ]
    source = table(tmp_path, rows)
    said = " ".join(compare(source, "--by", "size", "--ordered", "--text", "red")["warnings"])
    assert "taken by the alphabet: high < low" in said
    assert "3 images have no value in size" in said
    rows = [
        (("red", "blue")[i % 2], {"camera": name})
        for name, count in (("one", 1), ("big", 60), ("small", 12), ("three", 3))
        for i in range(count)
    ]
    (tmp_path / "few").mkdir()
    content = compare(table(tmp_path / "few", rows), "--by", "camera", "--text", "red")
    assert [part["name"] for part in content["comparisons"]] == ["big", "small"]
    assert "2 groups have fewer than 4 images on a side" in " ".join(content["warnings"])


def test_texts_of_ones_own_are_tested_on_all_images(tmp_path: Path) -> None:
    content = compare(cameras(tmp_path), "--by", "camera", "--text", "a red square")
    assert (content["explore"], content["validate"]) == (0, 90)


def test_some_rows_propose_and_all_others_test(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        ("red" if camera == 2 else ("blue", "green")[i % 2],
         {"camera": f"camera {camera}", "day": str(i % 5)})
        for camera in (1, 2, 3)
        for i in range(30)
    ]  # fmt: skip
    source = table(tmp_path, rows)
    content = compare(source, "--by", "camera", "--propose-on", "day in ('0', '1')")
    assert (content["explore"], content["validate"]) == (36, 54)
    assert confirmed(content) == {"a red square": "camera 2"}
    content = compare(source, "--by", "camera", "--propose-on", "20%")
    assert content["explore"] == 18
    assert refused(source, "--by", "camera", "--propose-on", "day != '9'") == 2
    assert "none is left to test on" in capsys.readouterr().err


def test_a_score_with_gaps_and_one_that_is_mostly_one_value(tmp_path: Path) -> None:
    rows = [
        (("red", "blue", "green")[i % 3],
         {"score": "nan" if i % 7 == 0 else str(int(i % 3 == 0)), "odd": "high" if i == 3 else "1"})
        for i in range(140)
    ]  # fmt: skip
    source = table(tmp_path, rows)
    content = compare(source, "--score", "score")
    assert confirmed(content)["a red square"] == "high score"
    assert "20 images have no value in score" in " ".join(content["warnings"])
    assert refused(source, "--score", "odd") == 2


def test_names_of_groups_are_shown_and_not_obeyed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evil = ["<script>alert(1)</script>", "\x1b[31mred\x1b[0m", "猫🐈", "../../x"]
    rows = [
        ("red" if name == evil[0] else ("blue", "green")[i % 2], {"camera": name})
        for name in evil
        for i in range(20)
    ]
    content = compare(table(tmp_path, rows), "--by", "camera")
    assert confirmed(content) == {"a red square": evil[0]}
    page = (tmp_path / "out" / "report.html").read_text()
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "\x1b" not in page
    assert "\x1b" not in capsys.readouterr().out
    assert "猫🐈" in page
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "models.toml", "out", "pictures", "store", "table.csv",
    ]  # fmt: skip
    assert len(list((tmp_path / "out" / "parts").iterdir())) == 4


def test_deep_pictures_are_seen_through_one_window_which_is_told(tmp_path: Path) -> None:
    import imagecodecs
    import numpy as np
    from PIL import Image

    source = cameras(tmp_path)
    for path in (tmp_path / "pictures").glob("*.png"):
        deep = np.asarray(Image.open(path).convert("RGB")).astype(np.uint16) * 257
        path.write_bytes(imagecodecs.png_encode(deep))
    content = compare(source, "--by", "camera")
    assert confirmed(content) == {"a red square": "camera 2"}
    assert content["config"]["window"] == "0.0,65535.0"
    assert any("more than 8 bits" in warning for warning in content["warnings"])
    dark = compare(source, "--by", "camera", "--window", "0,9999999")
    assert confirmed(dark) == {}, "answers of another window are not these"
