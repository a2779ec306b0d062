"""Two commands at the same moment: both results are there, or one is refused and says why."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.pairs import at_once

pytestmark = pytest.mark.slow
FAKE = ("--profile", "fake", "--quiet")
COMMANDS = {
    "run": ("run", "a", "b", *FAKE),
    "run --out": ("run", "a", "b", *FAKE, "--out", "out"),
    "run --out, another seed": ("run", "a", "b", *FAKE, "--out", "out", "--seed", "3"),
    "a run again": ("run", "a", "b", *FAKE, "--out", "done"),
    "compare --out": ("compare", "t.csv", "--by", "group_name", *FAKE, "--out", "out"),
    "prepare": ("prepare", "a", "--profile", "fake", "--embed", "--caption"),
    "gc": ("store", "gc", "--max-gib", "0"),
    "merge": ("store", "merge", "parts"),
    "report": ("report", "done"),
    "report --no-images": ("report", "done", "--no-images"),
    "report of what is being written": ("report", "out"),
    "export": ("export", "done", "--to", "x.csv"),
    "view": ("view", "done", "--no-models", "--port", "0"),
    "sweep": ("sweep", "s.toml", *FAKE, "--workspace", "space", "--out", "swept"),
    "import": ("store", "import", "theirs.npy", "--as", "theirs", "--quiet"),
}
SAID = ("is being written by another run", "cannot be read", "there is no such file")
"""How a command is refused."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sets, a table of them, a run that is done and parts that wait."""
    place = tmp_path_factory.mktemp("two")
    (place / "models.toml").write_text(
        '[models.fake]\nbackend = "fake"\n'
        '[profiles.fake]\ncaptioner = "fake"\nvlm = "fake"\nllm = "fake"\nembedder = "fake"\n'
    )
    rows = ["path,group_name"]
    for number in range(24):
        side = "ab"[number % 2]
        (place / side).mkdir(exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 255, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(place / side / f"{number}.png")
        rows.append(f"{side}/{number}.png,{side}")
    (place / "t.csv").write_text("\n".join(rows) + "\n")
    (place / "s.toml").write_text(
        'title = "Two"\n[bench]\npairs = 1\nruns = 1\n[[case]]\nname = "clip"\nranker = "clip"\n'
    )
    np.save(place / "theirs.npy", np.random.default_rng(3).standard_normal((24, 64)))
    (place / "theirs.txt").write_text("".join(f"{row.split(',')[0]}\n" for row in rows[1:]))
    part = ("prepare", "b", "--profile", "fake", "--embed", "--shard", "1/1", "--to", "parts")
    for words in (COMMANDS["a run again"], part):
        (ended,) = at_once(place, environment(place), words)
        assert ended.code == 0, ended.said
    return place


def environment(place: Path) -> dict[str, str]:
    return {
        "VISDIFF_MODELS": str(place / "models.toml"),
        "XDG_CACHE_HOME": str(place / "cache"),
        "VISDIFF_STORE": str(place / "store"),
    }


@pytest.mark.parametrize(
    "pair", list(itertools.combinations_with_replacement(COMMANDS, 2)), ids=" + ".join
)
def test_both_are_there_or_one_is_refused(pair: tuple[str, str], place: Path) -> None:
    before = set((place / "runs").glob("*")) if (place / "runs").exists() else set()
    ended = at_once(place, environment(place), *(COMMANDS[name] for name in pair))
    for name, one in zip(pair, ended, strict=True):
        assert one.code in (0, 2), one.said
        assert "Traceback" not in one.said
        assert "a defect in" not in one.said
        if one.code == 2:
            assert {"out", "done", "gc"} & set(COMMANDS[name]), one.said
            assert any(words in one.said for words in SAID), one.said
    if set(pair) != {"report of what is being written"}:
        assert any(one.code == 0 for one in ended), [one.said for one in ended]
    made = set((place / "runs").glob("*")) - before if (place / "runs").exists() else set()
    assert len(made) == pair.count("run"), "a run without --out has a folder of its own"
    for folder in (*made, place / "done"):
        whole(folder)


def whole(folder: Path) -> None:
    content = json.loads((folder / "run.json").read_text())
    assert content["sets"]["a"]["n"] == content["sets"]["b"]["n"] == 12
    assert (folder / "images.parquet").stat().st_size > 0
    assert (folder / "report.html").read_text().rstrip().endswith("</html>")
    assert not [path for path in folder.rglob("*") if path.name.startswith(".") and path.is_file()
                and path.name != ".visdiff-run"]  # fmt: skip
