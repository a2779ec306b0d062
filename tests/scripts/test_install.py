"""A trained model takes a bundled one's place with its checksums, or nothing is changed."""

from hashlib import sha256
from pathlib import Path

import pytest

from scripts.nano.install import install


def folders(tmp_path: Path) -> tuple[Path, Path, Path]:
    bundled, trained = tmp_path / "bundled", tmp_path / "trained"
    for folder, weights in ((bundled / "small", b"old"), (trained, b"new")):
        folder.mkdir(parents=True)
        (folder / "config.json").write_bytes(b"{}")
        (folder / "model.safetensors").write_bytes(weights)
    (trained / "work").mkdir()
    old, config = (sha256(content).hexdigest() for content in (b"old", b"{}"))
    toml = tmp_path / "models.toml"
    toml.write_text(
        "".join(
            f'[models.{name}.files]\n"config.json" = "sha256:{config}"\n'
            f'"model.safetensors" = "sha256:{old}"\n\n'
            for name in ("first", "small", "third")
        )
    )
    return trained, bundled, toml


def test_weights_and_their_checksum_change_together(tmp_path: Path) -> None:
    trained, bundled, toml = folders(tmp_path)
    before = toml.read_text()
    assert install(trained, "small", bundled, toml) == ["model.safetensors"]
    assert (bundled / "small" / "model.safetensors").read_bytes() == b"new"
    new, old = (sha256(content).hexdigest() for content in (b"new", b"old"))
    head, tail = before.split("[models.small.files]")
    assert toml.read_text() == f"{head}[models.small.files]{tail.replace(old, new, 1)}"
    assert install(trained, "small", bundled, toml) == []


def test_a_training_that_is_not_finished_changes_nothing(tmp_path: Path) -> None:
    trained, bundled, toml = folders(tmp_path)
    (trained / "model.safetensors").unlink()
    before = toml.read_text()
    with pytest.raises(FileNotFoundError, match=r"no model\.safetensors; let the training finish"):
        install(trained, "small", bundled, toml)
    assert toml.read_text() == before
    assert (bundled / "small" / "model.safetensors").read_bytes() == b"old"


def test_a_file_without_a_checksum_is_refused(tmp_path: Path) -> None:
    trained, bundled, toml = folders(tmp_path)
    toml.write_text(toml.read_text().replace("models.small.files", "models.other.files"))
    with pytest.raises(ValueError, match="names no checksum"):
        install(trained, "small", bundled, toml)
    assert (bundled / "small" / "model.safetensors").read_bytes() == b"old"
