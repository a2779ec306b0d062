"""The library: the same run from Python, without side effects on the caller's process."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

import visdiff_local
from tests.support import colours
from tests.support.colours import Colours, draw
from visdiff_local import ImageSet, describe_differences
from visdiff_local.errors import InputError, ProblemsError
from visdiff_local.models import registry
from visdiff_local.system import offline


@pytest.fixture(autouse=True)
def _colours_backend(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(registry, "BACKENDS", {**registry.BACKENDS, "fake": colours.__name__})
    monkeypatch.setenv("VISDIFF_STORE", str(tmp_path / "store"))
    (tmp_path / "models.toml").write_text(colours.MODELS_TOML)
    monkeypatch.setenv("VISDIFF_MODELS", str(tmp_path / "models.toml"))
    Colours.reset()


@pytest.fixture
def both(tmp_path: Path) -> tuple[ImageSet, ImageSet]:
    return (
        ImageSet.from_folder(draw(tmp_path / "a", ["red"] * 20, seed=1)),
        ImageSet.from_folder(draw(tmp_path / "b", ["blue"] * 20, seed=2)),
    )


def test_differences_are_described(both: tuple[ImageSet, ImageSet], tmp_path: Path) -> None:
    result = describe_differences(*both, profile="colours")
    first = result.differences[0]
    assert first.text in ("a red square", "a blue square")
    assert first.direction == ("a" if "red" in first.text else "b")
    assert first.auroc > 0.9
    assert result.summary.conclusion == "differences found"
    assert {found.verdict for found in result.confirmed} == {"confirmed"}
    folder = result.save(tmp_path / "out")
    assert (folder / "run.json").read_text() == result.to_json()
    assert result.to_html() == (folder / "report.html").read_text()
    assert "a red square" in result._repr_html_()


def test_paths_will_do_for_sets(both: tuple[ImageSet, ImageSet], tmp_path: Path) -> None:
    sets = describe_differences(*both, profile="colours")
    paths = describe_differences(tmp_path / "a", str(tmp_path / "b"), profile="colours")
    assert [d.auroc for d in paths.differences] == [d.auroc for d in sets.differences]
    assert paths.run.run.config["a"] == str(tmp_path / "a")


def test_your_own_hypotheses(both: tuple[ImageSet, ImageSet]) -> None:
    texts = ["a red square", "a green square"]
    result = visdiff_local.evaluate_hypotheses(texts, *both, profile="colours")
    assert [found.text for found in result.differences] == texts
    assert result.confirmed == result.differences[:1]


def test_text_of_models_is_escaped(both: tuple[ImageSet, ImageSet]) -> None:
    result = visdiff_local.evaluate_hypotheses(["<b>red</b>"], *both, profile="colours")
    assert "&lt;b&gt;red" in result._repr_html_()


def test_bad_options_are_one_exception(both: tuple[ImageSet, ImageSet], tmp_path: Path) -> None:
    with pytest.raises(ProblemsError, match=r"--alpha.*--colour"):
        describe_differences(*both, profile="colours", alpha=7, colour="red")
    with pytest.raises(InputError, match="nowhere"):
        describe_differences(tmp_path / "nowhere", tmp_path / "b", profile="colours")


def test_the_callers_network_is_left_alone(both: tuple[ImageSet, ImageSet]) -> None:
    with offline.lifted():  # as in a caller's process, whatever ran before in this one
        describe_differences(*both, profile="colours")
        assert socket.getaddrinfo("192.0.2.1", 443, 0, 0, 0, socket.AI_NUMERICHOST)


def test_public_names_are_those_of_the_package() -> None:
    assert set(visdiff_local.__all__) <= set(dir(visdiff_local))
    for name in visdiff_local.__all__:
        assert getattr(visdiff_local, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = visdiff_local.nonsense


def test_import_is_light() -> None:
    code = "import sys, visdiff_local; assert not {'torch', 'numpy', 'pydantic'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
