"""models.toml as anyone could have written it: a message, never a traceback."""

from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.paths import shared
from visdiff_local.errors import UsageError, VisdiffError
from visdiff_local.models.specs import load_registry


def _read(tmp_path: Path, text: str) -> None:
    file = tmp_path / "models.toml"
    file.write_text(text, encoding="utf-8")
    load_registry(file)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("models=[1]", "models: input should be a valid dictionary"),
        ('[models]\nx="y"', "models.x: input should be a valid dictionary"),
        ("profiles=3", "profiles: input should be"),
        ("[other]\nx=1", "unknown table .other."),
        ("x=" + "[" * 5000, "nested more than 64 deep"),
        ("[models.x]\nbackend='fake'\nfiles=[1]", "models.x.files"),
        ("[models.x]\nbackend='fake'\ncontext=1e400", "models.x.context"),
        ("[models.x]\nbackend='fake'\nsize={parameters=nan}", "models.x.size.parameters"),
        ("[models.x]\nbackend='fake'\nsize={parameters=inf}", "models.x.size.parameters"),
    ],
)
def test_what_is_wrong_is_named(text: str, wrong: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=wrong):
        _read(tmp_path, text)


def test_a_folder_is_no_models_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a folder or a device, not a file"):
        load_registry(tmp_path)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:80@evil.example/",
        "http://evil.example/#://127.0.0.1",
        "http://evil.example/?x=://127.0.0.1",
        "http://127.0.0.1.evil.example",
        "http://evil.example\\@127.0.0.1/",
        "http://127.0.0.1@evil.example",
        "http://user:pass@127.0.0.1/",
        "http://localhost.evil.example:8080",
        "http://[::1].evil.example",
        "http://0.0.0.0:80",
        "http://2130706433/",
        "http://127.1/",
        "http://127.0.0.1:99999/",
        "ftp://127.0.0.1/",
        "127.0.0.1:8080",
        "http://127.0.0.1:8080/path?x=1#y",
        "http://127.0.0.1\n.evil.example/",
        "http:///127.0.0.1",
        "",
    ],
)
def test_only_a_url_on_loopback_is_one(url: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="url must be on loopback"):
        _read(tmp_path, f"[models.s]\nbackend='llama_server'\nurl={url!r}".replace("'", '"'))


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:8080", "http://localhost:1/", "http://[::1]:8080", "https://127.0.0.1"],
)
def test_a_url_on_loopback_is_taken(url: str, tmp_path: Path) -> None:
    _read(tmp_path, f'[models.s]\nbackend="llama_server"\nurl="{url}"')


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("folder", "../../../../etc"),
        ("folder", "/etc"),
        ("folder", "a/../../b"),
        ("folder", "models.toml"),
        ("folder", "."),
        ("folder", "x" * 300),
        ("folder", "a\\u0000b"),
        ("folder", "a\\u001bb"),
        ("folder", "~/x"),
        ("files", "../x"),
        ("files", "/etc/passwd"),
        ("files", "a/../../x"),
        ("files", "a\\u0000"),
        ("files", ""),
    ],
)
def test_paths_stay_in_the_folder_of_weights(field: str, value: str, tmp_path: Path) -> None:
    line = f'folder="{value}"' if field == "folder" else f'files={{"{value}"=""}}'
    with pytest.raises(UsageError, match=f"models.x.{field}"):
        _read(tmp_path, f'[models.x]\nbackend="llama_cpp"\n{line}')


@pytest.mark.parametrize("name", ["../x", "a/b", "models.toml", "\\u001b[31m", "x" * 300, "."])
def test_names_are_names(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no name for a model"):
        _read(tmp_path, f'[models."{name}"]\nbackend="fake"')


@pytest.mark.parametrize("name", ["m_at.toml", "t_mk.toml", "t_modelslist.toml"])
def test_files_that_broke_something_break_nothing(name: str) -> None:
    path = shared("cases/hostile") / name
    with suppress(VisdiffError):
        load_registry(path)
