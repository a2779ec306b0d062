"""The recipe for real weights: with bundled models as it stands, and with real ones where they are.

``VISDIFF_REAL`` names a folder with a models.toml whose profile ``real`` has a language model, and
``VISDIFF_REAL_CAPTIONS`` a table of two groups with captions.
"""

import csv
import os
import runpy
from pathlib import Path

import numpy as np
import pytest

from tests.support.paths import ROOT
from visdiff_local.bench.scenes.drawing.render import render
from visdiff_local.bench.scenes.language.language import caption
from visdiff_local.bench.scenes.world import Scene

REAL, CAPTIONS = os.environ.get("VISDIFF_REAL", ""), os.environ.get("VISDIFF_REAL_CAPTIONS", "")
main = runpy.run_path(str(ROOT / "scripts" / "recipes" / "real.py"))["main"]


def captioned(folder: Path) -> Path:
    """Drawn dogs and cars with captions."""
    rng = np.random.default_rng(0)
    rows = []
    for group, kind in (("dogs", "dog"), ("cars", "car")):
        for number in range(24):
            place = ("beach", "forest", "desert")[number % 3]
            path = folder / f"{group}{number}.png"
            scene = Scene(kind, "red", place, number)
            render(scene, size=96).image.save(path)
            said = caption(scene, rng)
            rows.append({"group_name": group, "path": path.name, "caption": said})
    table = folder / "table.csv"
    with table.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return table


@pytest.mark.slow
def test_the_recipe_finds_the_difference_that_captions_tell(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = str(captioned(tmp_path))
    own = ["--profile", "nano", "--store", str(tmp_path / "store")]
    groups = ["--group-a", "dogs", "--group-b", "cars", "--truth-a", "dogs", "--truth-b", "cars"]
    on = ["--photos", table, "--a", "dogs", "--b", "cars", "--texts", "a dog"]
    main([*own, "--captioned", table, *groups, *on])
    captions, photographs = capsys.readouterr().out.split("photographs: ")
    assert captions.startswith("captions: differences found"), captions
    assert "judge: Acc@1 1.0" in captions
    assert photographs.startswith("differences found"), photographs


def test_a_recipe_without_a_table_says_what_to_name(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([])
    assert "--captioned TABLE" in capsys.readouterr().err


@pytest.mark.real
@pytest.mark.skipif(not (REAL and CAPTIONS), reason="no real weights: VISDIFF_REAL is not set")
def test_real_weights_find_what_the_captions_tell(capsys: pytest.CaptureFixture[str]) -> None:
    main(
        [
            *("--models", f"{REAL}/models.toml", "--weights", REAL, "--profile", "real"),
            *("--captioned", CAPTIONS, "--truth-a", "yoga", "--truth-b", "meditation"),
        ]
    )
    out = capsys.readouterr().out
    assert out.startswith("captions: differences found"), out
    assert "confirmed    yoga" in out
