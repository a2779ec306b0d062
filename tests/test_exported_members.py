"""The public names: listed once, sorted, and each of them there."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import visdiff_local

ROOT = Path(visdiff_local.__file__).parent


def test_the_public_names_are_these() -> None:
    assert visdiff_local.__all__ == [
        "Comparison",
        "ImageSet",
        "Result",
        "__version__",
        "compare",
        "describe_differences",
        "evaluate_hypotheses",
        "load",
        "stats",
    ]


def test_they_are_sorted_and_dir_shows_them() -> None:
    assert visdiff_local.__all__ == sorted(visdiff_local.__all__)
    assert dir(visdiff_local) == visdiff_local.__all__


def test_each_of_them_is_there() -> None:
    for name in visdiff_local.__all__:
        assert getattr(visdiff_local, name) is not None


def test_type_checkers_see_the_same_names() -> None:
    tree = ast.parse((ROOT / "__init__.py").read_text(encoding="utf-8"))
    (checking,) = (
        node
        for node in tree.body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    )
    seen = {
        alias.asname or alias.name
        for node in checking.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    declared = {
        ast.unparse(node.target) for node in checking.body if isinstance(node, ast.AnnAssign)
    }
    assert seen | declared == set(visdiff_local.__all__)


def test_the_version_is_that_of_the_distribution() -> None:
    code = "import visdiff_local; print(visdiff_local.__version__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    project = tomllib.loads((ROOT.parent / "pyproject.toml").read_text(encoding="utf-8"))
    assert done.stdout.strip() == project["project"]["version"]


def test_the_version_costs_no_heavy_import() -> None:
    heavy = "{'numpy', 'torch', 'scipy', 'pydantic', 'click'}"
    code = f"import sys, visdiff_local as v; v.__version__; assert not {heavy} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
