"""Verifying: each damage is named."""

import json
from pathlib import Path

import pytest

from tests.support.repository import SHARDS, command, flip, with_checksums
from visdiff_local.errors import WeightsError
from visdiff_local.models.specs import ModelSpec
from visdiff_local.models.weights.verify import insist, verify


def test_an_intact_model_is_intact(spec: ModelSpec, folder: Path) -> None:
    checked = verify(spec, folder)
    assert (checked.problem, checked.files, checked.without_checksum) == ("", 5, 5)
    assert verify(with_checksums(spec, folder), folder).without_checksum == 0


def test_a_flipped_byte_is_named(spec: ModelSpec, folder: Path) -> None:
    known = with_checksums(spec, folder)
    flip(folder / SHARDS[1])
    with pytest.raises(WeightsError, match=f"{SHARDS[1]} is corrupt"):
        insist(known, folder)


def test_a_cut_file_is_named_even_without_checksums(spec: ModelSpec, folder: Path) -> None:
    path = folder / SHARDS[0]
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(WeightsError, match=f"{SHARDS[0]} has .* bytes and must have"):
        insist(spec, folder)


def test_a_missing_shard_is_named_even_without_checksums(spec: ModelSpec, folder: Path) -> None:
    (folder / SHARDS[1]).unlink()
    with pytest.raises(WeightsError, match=f"{SHARDS[1]} is missing"):
        insist(spec, folder)


def test_a_missing_part_of_a_gguf_is_named(tmp_path: Path) -> None:
    (tmp_path / "llm-00001-of-00002.gguf").write_bytes(b"GGUF....")
    llm = ModelSpec(name="llm", backend="llama_cpp", files={"llm-00001-of-00002.gguf": ""})
    with pytest.raises(WeightsError, match=r"llm-00002-of-00002\.gguf is missing"):
        insist(llm, tmp_path)


def test_the_command_exits_with_3_and_names_the_file(
    spec: ModelSpec, folder: Path, entry: Path
) -> None:
    (folder / SHARDS[0]).unlink()
    told = command("verify", "tiny", "--models", entry, "--weights", folder.parent, "--json")
    assert told.returncode == 3
    assert SHARDS[0] in told.stderr
    assert SHARDS[0] in json.loads(told.stdout)[0]["problem"]
