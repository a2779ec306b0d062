"""The report: complete, self-contained, and safe whatever models and paths say."""

import base64
import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support import report_example
from tests.support.drawn_report import Drawn, flat, page
from tests.support.html_page import Page
from tests.support.paths import ROOT
from visdiff_local.errors import InputError
from visdiff_local.results import serialize
from visdiff_local.results.report import write_report
from visdiff_local.types import (
    Duplicates,
    Example,
    Histogram,
    Skipped,
)

HOSTILE = '<script>alert(1)</script>" onerror="alert(2)\' {{ 7*7 }} \u202e\x1b[31m &amp; \udcff'


HOSTILE_KEY = HOSTILE.removesuffix("\udcff")


FOREIGN = re.compile(r"(?i)^\s*(?:https?:|ftp:|file:|//|javascript:)|url\(|@import|\bsrc=")


def test_nothing_is_asked_of_a_network(drawn: Drawn, tmp_path: Path) -> None:
    shown = page(*drawn, tmp_path)
    for tag, attributes in shown.elements:
        assert tag not in ("script", "link", "iframe", "object", "embed", "form", "base", "video")
        for name, value in attributes.items():
            assert not FOREIGN.search(value), (tag, name, value[:80])
            assert not name.startswith("on")
            assert name != "style", "the policy would refuse it"
    assert not FOREIGN.search(shown.style)
    assert "url(" not in shown.style
    assert {a["src"].partition(",")[0] for a in shown.all("img")} == {"data:image/jpeg;base64"}
    assert all(a["href"].startswith("#") for a in shown.all("a"))


def test_the_policy_allows_this_style_and_data_images_only(drawn: Drawn, tmp_path: Path) -> None:
    shown = page(*drawn, tmp_path)
    (policy,) = [
        a["content"] for a in shown.all("meta") if a.get("http-equiv") == "Content-Security-Policy"
    ]
    digest = base64.b64encode(hashlib.sha256(shown.style.encode()).digest()).decode()
    assert policy.split("; ") == [
        "default-src 'none'",
        "img-src data:",
        f"style-src 'sha256-{digest}'",
        "base-uri 'none'",
        "form-action 'none'",
    ]


def test_every_number_of_every_difference_is_there(drawn: Drawn, tmp_path: Path) -> None:
    result, _ = drawn
    text = page(*drawn, tmp_path)
    values = [a["value"] for a in text.all("data")]
    said = flat(text.text)
    for rank, found in enumerate(result.differences, start=1):
        for number in (
            found.auroc,
            found.p_value,
            found.q_value,
            found.mean_a,
            found.mean_b,
            found.prevalence_a,
            found.prevalence_b,
        ):
            assert str(number) in values
        assert (
            f"{rank} {found.hypothesis.text} more true of {found.hypothesis.direction.upper()}"
            in said
        )
        low, high = found.auroc_ci
        assert f"95 % interval {low:.2f} … {high:.2f}" in said
        for similar in found.hypothesis.similar:
            assert f"“{similar}”" in said
    for item in result.measured:
        assert item.attribute in said
        assert {str(item.auroc), str(item.p_value), str(item.q_value)} <= set(values)


def test_the_rest_of_the_run_is_there(drawn: Drawn, tmp_path: Path) -> None:
    result, _ = drawn
    said = flat(page(*drawn, tmp_path).text)
    for expected in (
        *result.warnings,
        "A (road) and B (street) differ",
        "4 of 8 tested texts are confirmed on 20 + 20 images.",
        "photos/road/readme.txt not an image",
        "byte by byte in A and B photos/road/1.png photos/street/7.png",
        "1.00 Acc@1",
        "The ranker got no answer for 2 images.",
        "it adds nothing to them",
        "embedder 11 88",
        "caption 1 min 11 s",
        "together 1 min 18 s",
        "permutations 1000",
        "visdiff_local 0.1.0",
        *(model.fingerprint for model in result.run.models.values()),
    ):
        assert expected in said


def test_the_pictures_are_the_right_ones(drawn: Drawn, tmp_path: Path) -> None:
    result, pictures = drawn
    shown = page(*drawn, tmp_path)
    best = result.differences[0]
    letter = best.hypothesis.direction.upper()
    sources = [
        a["src"] for a in shown.all("img") if a["alt"].startswith(f"{letter} where it shows most: ")
    ][: len(best.evidence.a)]
    wanted = best.evidence.a if letter == "A" else best.evidence.b
    encoded = [base64.b64encode(pictures[example.id]).decode() for example in wanted]
    assert [source.partition(",")[2] for source in sources] == encoded


def test_whatever_models_and_paths_say_is_text(drawn: Drawn, tmp_path: Path) -> None:
    result, pictures = drawn
    nasty = replace(
        result,
        a=replace(
            result.a,
            name=HOSTILE,
            skipped=(Skipped(HOSTILE, HOSTILE),),
            preview=(Example("../../etc/passwd", HOSTILE, 0.0),),
        ),
        differences=tuple(
            replace(
                found,
                hypothesis=replace(found.hypothesis, text=HOSTILE, similar=(HOSTILE,)),
                evidence=replace(
                    found.evidence,
                    a=tuple(replace(e, path=HOSTILE) for e in found.evidence.a),
                ),
            )
            for found in result.differences
        ),
        measured=tuple(replace(item, attribute=HOSTILE, note=HOSTILE) for item in result.measured),
        duplicates=(Duplicates((HOSTILE, HOSTILE), False, True),),
        warnings=(HOSTILE,),
        calls={HOSTILE_KEY: result.calls["llm"]},
        seconds={HOSTILE_KEY: 1.0},
        run=replace(
            result.run,
            profile=HOSTILE,
            config={
                **result.run.config,
                "goal": HOSTILE,
                "truth_a": HOSTILE,
                HOSTILE_KEY: [HOSTILE],
            },
            versions={HOSTILE_KEY: HOSTILE},
        ),
    )
    shown = page(nasty, pictures, tmp_path / "nasty")
    harmless = (page(result, p, tmp_path / name) for name, p in (("with", pictures), ("no", {})))
    known = {
        (tag, name)
        for plain in harmless
        for tag, attributes in plain.elements
        for name in attributes
    }
    for tag, attributes in shown.elements:
        assert {(tag, name) for name in attributes} <= known
    assert HOSTILE.partition("\u202e")[0] in shown.text
    assert "49" not in shown.text.partition("{{")[2][:10]
    assert "\u202e" not in shown.text
    assert "\x1b" not in shown.text
    assert "\\u202e\\x1b[31m &amp;" in shown.text


def test_a_lone_surrogate_in_run_json_is_shown_escaped(drawn: Drawn, tmp_path: Path) -> None:
    result, pictures = drawn
    report_example.write(result, pictures, tmp_path)
    content = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))
    content["sets"]["a"]["skipped"] = [{"path": "odd\udcff.jpg", "reason": "empty file"}]
    (tmp_path / "run.json").write_text(json.dumps(content), encoding="ascii")
    assert "odd\\udcff.jpg" in write_report(tmp_path).read_text(encoding="utf-8")


def test_the_report_to_share_has_no_picture_and_no_path(drawn: Drawn, tmp_path: Path) -> None:
    result, pictures = drawn
    result = replace(
        result,
        b=replace(
            result.b,
            name="/data/photos/*.jpg",
            skipped=(Skipped("/data/x.jpg", "folder /data/x.jpg cannot be read"),),
        ),
    )
    report_example.write(result, pictures, tmp_path)
    text = write_report(tmp_path, images=False).read_text(encoding="utf-8")
    for private in (
        "data:image",
        "<img",
        "photos/",
        "/data/",
        "/home",
        ".jpg",
        ".png",
        "readme.txt",
    ):
        assert private not in text
    shown = Page(text)
    assert str(result.differences[0].auroc) in [a["value"] for a in shown.all("data")]
    assert "A and B differ" in shown.text
    assert "left out" in shown.text


def test_missing_thumbnails_are_placeholders(drawn: Drawn, tmp_path: Path) -> None:
    result, pictures = drawn
    first, second, third = result.a.preview[:3]
    report_example.write(result, {}, tmp_path)
    (tmp_path / "thumbnails" / f"{second.id}.jpg").write_bytes(b"<svg onload=alert(1)>")
    (tmp_path / "thumbnails" / f"{third.id}.jpg").write_bytes(pictures[third.id])
    shown = Page(write_report(tmp_path).read_text(encoding="utf-8"))
    third_uri = "data:image/jpeg;base64," + base64.b64encode(pictures[third.id]).decode()
    assert {a["src"] for a in shown.all("img")} == {third_uri}
    labels = [a.get("aria-label", "") for a in shown.all("svg")]
    for example in (first, second):
        assert f"An image of A: {Path(example.path).name} (no picture)" in labels


def test_an_image_id_never_leaves_the_thumbnails(drawn: Drawn, tmp_path: Path) -> None:
    result, _ = drawn
    outside = tmp_path / "secret.jpg"
    outside.write_bytes(b"\xff\xd8\xff secret")
    result = replace(
        result,
        differences=(),
        a=replace(result.a, preview=(Example("../../secret", "x", 0.0),)),
        b=replace(result.b, preview=()),
    )
    assert page(result, {}, tmp_path / "run").all("img") == []


def test_no_difference_says_what_could_have_been_seen(drawn: Drawn, tmp_path: Path) -> None:
    result, pictures = drawn
    said = flat(page(report_example.no_difference(result), pictures, tmp_path).text)
    assert "No difference found 0 of 8 tested texts are confirmed" in said
    assert "A difference with an AUROC of 0.71 or more would have been detected" in said
    assert said.count("0.71") == 1


def test_nothing_tested_nothing_known(drawn: Drawn, tmp_path: Path) -> None:
    result, _ = drawn
    shown = page(report_example.empty(result), {}, tmp_path)
    assert "No text was tested" in shown.text
    assert "All that was tested" not in shown.text
    assert shown.all("article") == []


def test_measured_differences_alone_are_said(drawn: Drawn, tmp_path: Path) -> None:
    result, _ = drawn
    noted = [item for item in result.measured if item.note]
    assert noted
    alone = replace(result, differences=(), evaluation=None)
    said = flat(page(alone, {}, tmp_path).text)
    assert f"Measured: {noted[0].attribute}, {noted[0].note}." in said


def test_the_legend_says_of_each_verdict_what_it_needs(drawn: Drawn, tmp_path: Path) -> None:
    said = flat(page(*drawn, tmp_path).text)
    assert "suggestive has a p ≤ 0.05 of its own and misses one of the other conditions" in said
    assert "needs q ≤ 0.05, an overall p ≤ 0.05, an interval above 0.55" in said
    assert "would pass" not in said
    assert "it is not the probability that nothing differs" in said


def test_the_paper_s_rules_are_explained_as_such(drawn: Drawn, tmp_path: Path) -> None:
    result, pictures = drawn
    config = {**result.run.config, "stats": "paper"}
    paper = replace(result, run=replace(result.run, config=config))
    assert "Welch’s t-test gives p below 0.05" in page(paper, pictures, tmp_path / "paper").text
    assert "Welch" not in page(*drawn, tmp_path / "trusted").text


def test_the_same_run_gives_the_same_bytes(drawn: Drawn, tmp_path: Path) -> None:
    report_example.write(*drawn, tmp_path)
    first = write_report(tmp_path).read_bytes()
    assert write_report(tmp_path).read_bytes() == first
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "report.html",
        "run.json",
        "thumbnails",
    ]


def test_numbers_that_do_not_exist_are_dashes(drawn: Drawn, tmp_path: Path) -> None:
    """NaN is null in run.json: a mean over no answer at all, an attribute that no file has."""
    result, pictures = drawn
    nan = float("nan")
    odd = replace(result.differences[0], mean_a=nan, mean_b=nan, histogram=Histogram())
    result = replace(
        result,
        differences=(odd,),
        measured=(replace(result.measured[0], mean_a=nan),),
    )
    assert "mean score A, B –, –" in flat(page(result, pictures, tmp_path).text)


def test_a_folder_without_a_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=re.escape(str(tmp_path / "run.json"))):
        write_report(tmp_path)


@pytest.mark.parametrize("name", ["demo", "test"])
def test_a_run_of_schema_version_1_still_loads_and_draws_its_report(
    name: str, tmp_path: Path
) -> None:
    old = ROOT / "tests" / "data" / f"run_of_version_1_{name}.json"
    (tmp_path / "run.json").write_text(old.read_text())
    content = json.loads(old.read_text())
    loaded = serialize.load(tmp_path)
    assert loaded.summary.conclusion == content["summary"]["verdict"]
    assert [found.text for found in loaded.differences] == [
        item["text"] for item in content["differences"]
    ]
    assert len(loaded.a.preview) == len(content["sets"]["a"]["glance"])
    page = write_report(tmp_path).read_text()
    assert loaded.differences[0].text in page
    again = json.loads(serialize.to_json(loaded))
    assert again["schema_version"] == 2
    assert "why" not in serialize.to_json(loaded)
