"""The recipes draw what they say, and take a table of one's own."""

import json
import random
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.support.paths import ROOT

RECIPES = ROOT / "scripts" / "recipes"
NAMES = ("groups", "trend", "classes", "predictions", "failures", "scores", "generators")


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_draws_a_row_with_its_columns_for_each_picture(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(RECIPES))
    rows = runpy.run_path(str(RECIPES / f"{name}.py"))["draw"](random.Random(0))
    assert len(rows) >= 100
    assert len({tuple(columns) for _, columns in rows}) == 1


@pytest.mark.parametrize("name", NAMES)
def test_the_readme_shows_the_picture_of_each_recipe_and_it_is_small(name: str) -> None:
    picture = f"visdiff_local/assets/recipes/{name}.jpg"
    assert f"]({picture})" in (ROOT / "README.md").read_text(encoding="utf-8")
    content = (ROOT / picture).read_bytes()
    assert content.startswith(b"\xff\xd8\xff")
    assert 2_000 < len(content) < 100_000
    width, height = Image.open(ROOT / picture).size
    assert width >= 600
    assert height >= 100


def test_every_recipe_can_be_photographed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(RECIPES))
    shown = runpy.run_path(str(RECIPES / "pictures.py"))["SHOWN"]
    assert sorted(shown) == sorted(NAMES)


@pytest.mark.slow
def test_a_recipe_finds_what_it_planted(tmp_path: Path) -> None:
    own = ("--store", tmp_path / "store", "--out", tmp_path / "out", "--quiet", "--text", "fog")
    command = [sys.executable, RECIPES / "groups.py", *own]
    subprocess.run(list(map(str, command)), check=True, timeout=300)
    content = json.loads((tmp_path / "out" / "comparison.json").read_text())
    found = [(t["text"], t["part"]) for t in content["texts"] if t["verdict"] == "confirmed"]
    assert found == [("fog", "camera 3")]
