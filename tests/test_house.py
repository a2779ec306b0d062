"""The house stays a house: small modules, few at the root, tests where what they test is."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "visdiff_local"
LONGEST = 350
FOLDERS = ("visdiff_local", "scripts", "tests")
AT_THE_ROOT = 9
"""api, session, config, types, protocols, errors, doctor, and the two with underscores."""


def lines(module: Path) -> int:
    return len(module.read_text(encoding="utf-8").splitlines())


def test_no_module_is_long() -> None:
    modules = [m for folder in FOLDERS for m in (ROOT / folder).rglob("*.py")]
    long = {str(m.relative_to(ROOT)): lines(m) for m in modules if lines(m) > LONGEST}
    assert long == {}


def test_few_modules_are_at_the_root() -> None:
    assert len(list(PACKAGE.glob("*.py"))) <= AT_THE_ROOT


def test_the_tests_mirror_the_package() -> None:
    """A folder of tests is a folder of the package, or of the scripts, or helps them."""
    here = ROOT / "tests"
    folders = {path.parent.relative_to(here) for path in here.rglob("test_*.py")}
    rooms = {path.parent.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py")}
    rooms |= {Path("scripts")}
    assert sorted(map(str, folders - rooms)) == []
