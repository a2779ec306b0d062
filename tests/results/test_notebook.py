"""The notebook under scripts/recipes is executed as it stands, and shows what it says."""

import os
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from tests.support.paths import ROOT

RECIPE = ROOT / "scripts" / "recipes" / "notebook.ipynb"


@pytest.mark.slow
def test_the_notebook_runs_and_shows_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VISDIFF_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(RECIPE.parents[2])]))
    notebook: Any = nbformat.read(RECIPE, as_version=4)
    assert all(not cell.outputs for cell in notebook.cells if cell.cell_type == "code")
    NotebookClient(notebook, timeout=500, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = [cell.outputs for cell in notebook.cells if cell.cell_type == "code"]
    pages = ["".join(o.data.get("text/html", "") for o in out if "data" in o) for out in shown]
    texts = ["".join(o.data.get("text/plain", "") for o in out if "data" in o) for out in shown]
    assert "<progress" in pages[0]
    assert "data:image/jpeg;base64," in pages[0]
    assert "confirmed" in pages[1]
    assert pages[3].count("<img") == 18
    assert "'confirmed'" in texts[4]
    assert texts[5].startswith("<Result: ")
