"""The examples of the public names do what they say."""

import doctest
from pathlib import Path

import pytest

import visdiff_local.api
from visdiff_local.comparisons import library
from visdiff_local.images.sources import open as sources
from visdiff_local.results import result
from visdiff_local.session import DEMO


@pytest.mark.slow
def test_the_api_s_examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISDIFF_STORE", str(tmp_path / "store"))
    given = {"DEMO": DEMO, "TMP": tmp_path / "run"}
    for module, least in ((visdiff_local.api, 5), (result, 7), (library, 6)):
        done = doctest.testmod(module, extraglobs=given, verbose=False)
        assert (done.failed, done.attempted >= least) == (0, True), module.__name__


def test_the_examples_of_image_sets() -> None:
    done = doctest.testmod(sources)
    assert (done.failed, done.attempted > 2) == (0, True)


def test_every_public_name_has_an_example() -> None:
    for name in ("Result", "compare", "describe_differences", "evaluate_hypotheses", "load"):
        assert ">>>" in (getattr(visdiff_local, name).__doc__ or ""), name
