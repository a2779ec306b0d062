"""The porch: what a newcomer, a hook and a CI runner find before they see any code."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
GITHUB = ROOT / ".github"
HOOKS = ROOT / ".pre-commit-config.yaml"
SCRIPTS = ["_venv.sh", "check", "demo", "test"]
PAGES = [GITHUB / "CONTRIBUTING.md", GITHUB / "SECURITY.md"]


def test_ci_runs_the_script_that_everybody_runs() -> None:
    jobs = yaml.safe_load((GITHUB / "workflows" / "ci.yml").read_text(encoding="utf-8"))["jobs"]
    runs = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    assert runs == [".ci/run"]
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111


@pytest.mark.parametrize("script", [".ci/run", *(f"scripts/{n}" for n in SCRIPTS)])
def test_scripts_are_sound_shell(script: str) -> None:
    subprocess.run(["bash", "-n", ROOT / script], check=True)


def test_hooks_fetch_nothing_and_are_the_checks() -> None:
    (repository,) = yaml.safe_load(HOOKS.read_text(encoding="utf-8"))["repos"]
    assert repository["repo"] == "local"
    assert {hook["language"] for hook in repository["hooks"]} == {"system"}
    entries = [hook["entry"].removeprefix(".venv/bin/").split() for hook in repository["hooks"]]
    wanted = (ROOT / "scripts" / "check").read_text(encoding="utf-8")
    assert all(entry[0] in wanted for entry in entries)
    assert {entry[0] for entry in entries} == {"ruff", "mypy", "lint-imports"}


@pytest.mark.parametrize("form", sorted((GITHUB / "ISSUE_TEMPLATE").glob("*.yml")), ids=str)
def test_issue_forms_are_forms(form: Path) -> None:
    content = yaml.safe_load(form.read_text(encoding="utf-8"))
    if form.name == "config.yml":
        assert set(content) == {"blank_issues_enabled"}
        return
    assert {"name", "description", "body"} <= set(content)
    identifiers = [part["id"] for part in content["body"] if part["type"] != "markdown"]
    assert len(identifiers) == len(set(identifiers)) > 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_its_links_lead_somewhere_and_its_files_are_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    links = [target for target in re.findall(r"\]\(([^)]+)\)", text) if "://" not in target]
    assert [target for target in links if not (page.parent / target).exists()] == []
    named = set(re.findall(r"\b(?:scripts|visdiff_local)/[\w./]*[\w/]", text))
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


def test_security_names_what_is_not_promised_and_how_to_report() -> None:
    text = (GITHUB / "SECURITY.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == [
        "What is promised",
        "What is not",
        "How to report",
    ]
    assert "@" not in text, "no address that nobody reads"
