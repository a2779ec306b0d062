"""The whole loop on a backend that sees colours: what is found, what is computed, what is kept."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support import colours
from tests.support.colour_runs import best, computed, loaded, run
from tests.support.colours import Colours, draw
from visdiff_local.images import File
from visdiff_local.models import paths, registry
from visdiff_local.results import serialize

pytestmark = pytest.mark.usefixtures("colours_backend")


def test_the_difference_is_found_in_both_directions(place: Path) -> None:
    content = loaded(run(place, "--truth-a", "red", "--truth-b", "blue"))
    assert content["schema_version"] == 2
    assert content["summary"]["conclusion"] == "differences found"
    for direction, text in (("a", "a red square"), ("b", "a blue square")):
        found = best(content, direction)
        assert (found["text"], found["verdict"]) == (text, "confirmed")
        assert found["auroc"] > 0.8
        assert found["auroc_ci"][0] < found["auroc"] <= found["auroc_ci"][1]
        assert found["provenance"] == {"proposer": "caption", "round": 0}
    assert content["evaluation"]["acc@1"] == 1.0
    assert [d["rank"] for d in content["differences"]] == list(
        range(1, len(content["differences"]) + 1)
    )


def test_halves_share_nothing_and_the_numbers_are_those_of_one(place: Path) -> None:
    content = loaded(run(place))
    for side in content["sets"].values():
        assert side["explore"] + side["validate"] == side["n"] == 30
    histogram = best(content, "a")["histogram"]
    assert sum(histogram["a"]) == content["sets"]["a"]["validate"]


def test_a_second_run_asks_no_model_and_opens_none(place: Path) -> None:
    first = loaded(run(place, "--ranker", "clip+vqa", "--truth-a", "red"))
    assert computed(first) > 0
    Colours.reset()
    second = loaded(run(place, "--ranker", "clip+vqa", "--truth-a", "red"))
    assert computed(second) == 0
    assert Colours.opened == 0
    assert second["differences"] == first["differences"]
    assert second["evaluation"] == first["evaluation"]


def test_a_second_run_reads_no_image(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(place)

    def refuse(at: File) -> Any:
        raise AssertionError(f"{at.name} is read again")

    monkeypatch.setattr(File, "read", refuse)
    monkeypatch.setattr(File, "open", refuse)
    run(place)
    with pytest.raises(AssertionError, match="is read again"):
        run(place, "--verify")


def test_one_changed_image_is_asked_about_alone(place: Path) -> None:
    run(place, "--ranker", "vqa", "--stats", "paper")
    Colours.reset()
    draw(place / "a", ["red"], seed=99, start=0)
    content = loaded(run(place, "--ranker", "vqa", "--stats", "paper"))
    assert computed(content) > 0
    changed = serialize.load(place / "out").a.preview[0].id
    assert set(Colours.asked_images) == {changed}


def test_renamed_and_moved_images_are_known(place: Path) -> None:
    first = loaded(run(place))
    Colours.reset()
    (place / "elsewhere").mkdir()
    for number, file in enumerate(sorted((place / "a").iterdir())):
        file.rename(place / "elsewhere" / f"{number}-renamed.png")
    second = loaded(run(place, f"{place}/elsewhere", f"{place}/b"))
    assert Colours.opened == 0
    numbers = [[d["auroc"] for d in content["differences"]] for content in (first, second)]
    assert numbers[0] == numbers[1]


def test_no_difference_between_two_draws_of_the_same(place: Path) -> None:
    mixed = ["red", "blue", "green"] * 14
    draw(place / "same_a", mixed, seed=3)
    draw(place / "same_b", mixed, seed=4)
    content = loaded(run(place, f"{place}/same_a", f"{place}/same_b"))
    assert content["summary"]["conclusion"] == "no difference found"
    assert 0.55 < content["summary"]["min_detectable_auroc"] < 1
    assert all(d["verdict"] != "confirmed" for d in content["differences"])


def test_your_own_hypotheses_are_tested_on_all_images(place: Path) -> None:
    texts = ["a red square", "a green square"]
    content = loaded(run(place, *texts, f"{place}/a", f"{place}/b", command="test"))
    assert [d["text"] for d in content["differences"]] == texts
    assert best(content, "a")["verdict"] == "confirmed"
    assert content["sets"]["a"]["validate"] == 30
    assert content["calls"]["llm"] == {"computed": 0, "from_store": 0}
    assert best(content, "a")["provenance"]["proposer"] == "user"


def test_hypotheses_from_a_file_and_directions_from_the_data(place: Path) -> None:
    (place / "mine.txt").write_text("a blue square\n\n  a red square \n")
    file = str(place / "mine.txt")
    content = loaded(run(place, f"{place}/a", f"{place}/b", "--file", file, command="test"))
    said = {d["text"]: d["direction"] for d in content["differences"]}
    assert said == {"a blue square": "b", "a red square": "a"}


def test_ctrl_c_keeps_what_was_finished(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    undisturbed = loaded(run(place, "--store", str(place / "other")))
    Colours.reset()
    Colours.interrupt_after = 20
    run(place, code=130)
    assert "Run the same command to resume" in capsys.readouterr().err
    seen = set(Colours.asked_images[:16])
    Colours.reset()
    content = loaded(run(place))
    assert computed(content) > 0
    assert content["differences"] == undisturbed["differences"]
    captions = content["calls"]["captioner"]
    assert captions["from_store"] >= len(seen)


def test_the_run_folder_is_private_and_complete(place: Path) -> None:
    out = run(place)
    assert out.stat().st_mode & 0o777 == 0o700
    assert (place / "store").stat().st_mode & 0o777 == 0o700
    content = loaded(out)
    shown = {e["id"] for d in content["differences"] for s in d["evidence"].values() for e in s}
    shown |= {e["id"] for side in content["sets"].values() for e in side["preview"]}
    assert shown == {path.stem for path in (out / "thumbnails").iterdir()}
    assert (out / "report.html").read_text().startswith("<!doctype html>")


def test_run_json_reads_back_as_the_same_result(place: Path) -> None:
    out = run(place, "--truth-a", "red", "--truth-b", "blue")
    result = serialize.load(out)
    assert serialize.to_json(result) == (out / "run.json").read_text()
    assert result.run.config["alpha"] == 0.05
    assert result.run.config["a"] == str(place / "a")


def test_the_seed_decides_everything_random(place: Path) -> None:
    one, again, other = (
        loaded(run(place, "--seed", seed))["differences"] for seed in ("1", "1", "2")
    )
    assert one == again
    assert [d["auroc"] for d in one] != [d["auroc"] for d in other]


def test_domain_statistics_tell_strange_images(place: Path, monkeypatch: Any) -> None:
    from safetensors.numpy import save_file

    folder = place / "weights" / "space"
    folder.mkdir(parents=True)
    eye = np.eye(colours.DIMENSION, dtype=np.float32)
    strange = {"means": eye[3:5] * 9, "whitening": eye, "threshold": np.ones(1, np.float32)}
    save_file(strange, folder / "domain.safetensors")
    monkeypatch.setattr(paths, "BUNDLED", folder)
    content = loaded(run(place))
    assert content["outside_domain"] == 1.0
    assert "100% of these images are something else" in " ".join(content["warnings"])


def test_the_shipped_fake_backend_plays_every_role(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(registry.BACKENDS, "fake", "visdiff_local.models.backends.fake")
    options = ["--proposer", "caption,image,feature,keyword", "--ranker", "clip>vqa"]
    first = loaded(run(place, *options, "--truth-a", "red", "--refine", "1"))
    assert {d["provenance"]["proposer"] for d in first["differences"]} >= {"caption", "feature"}
    again = loaded(run(place, *options, "--truth-a", "red", "--refine", "1"))
    assert again["differences"] == first["differences"]
    assert computed(again) == 0
