"""Vectors and captions of others: taken in under a fingerprint of their own, and used by a run."""

import json
import pickle
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import csv, parquet

from visdiff_local.cli.main import main
from visdiff_local.errors import InputError
from visdiff_local.images import ImageSet, read_set
from visdiff_local.measure import measure
from visdiff_local.store import Store, ready_made
from visdiff_local.store.importing import take_in

FAKE = (
    '[models.fake]\nbackend = "fake"\n'
    '[profiles.fake]\ncaptioner = "fake"\nvlm = "fake"\nllm = "fake"\nembedder = "fake"\n'
)
D = 64
N = 30


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("models.toml").write_text(FAKE)
    for seed, name in enumerate(("a", "b")):
        Path(name).mkdir()
        rng = np.random.default_rng(seed)
        for number in range(N // 2):
            pixels = rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(f"{name}/{number}.png")
    return tmp_path


def images() -> dict[str, str]:
    """Ids by path."""
    found = {}
    for name in ("a", "b"):
        for ref in read_set(ImageSet.open(name), measure=measure, version="t").images.images:
            found[str(Path(ref.name).relative_to(Path.cwd()))] = ref.id
    return found


def vectors(scale: float = 3.0) -> np.ndarray:
    return (scale * np.random.default_rng(7).standard_normal((N, D))).astype(np.float32)


def stored(name: str, store: str = "store") -> dict[str, np.ndarray]:
    with Store(Path(store)) as opened:
        fingerprint = ready_made.opened(opened, name).fingerprint
        ids, rows = opened.vectors(fingerprint, D).matrix()
        return dict(zip(ids, np.array(rows, np.float32), strict=True))


def check(name: str = "theirs") -> None:
    found, expected = stored(name), vectors() / np.linalg.norm(vectors(), axis=1, keepdims=True)
    assert len(found) == N
    for id_, row in zip(images().values(), expected, strict=True):
        np.testing.assert_allclose(found[id_], row, atol=1e-3)


def imported(source: str, *more: str, code: int = 0) -> None:
    arguments = ["store", "import", source, "--as", "theirs", "--store", "store", "--quiet"]
    assert main([*arguments, *more]) == code


def clip_retrieval(folder: str, *, parts: int = 3, **columns: list[str]) -> None:
    base = Path(folder)
    (base / "img_emb").mkdir(parents=True)
    (base / "metadata").mkdir()
    (base / "text_emb").mkdir()
    for number, rows in enumerate(np.array_split(np.arange(N), parts)):
        np.save(base / "img_emb" / f"img_emb_{number}.npy", vectors()[rows].astype(np.float16))
        np.save(base / "text_emb" / f"text_emb_{number}.npy", -vectors()[rows])
        table = {name: [values[i] for i in rows] for name, values in columns.items()}
        parquet.write_table(pa.table(table), base / "metadata" / f"metadata_{number}.parquet")


@pytest.mark.parametrize("kind", ["list", "fixed", "half"])
def test_a_parquet_table_by_sha256(kind: str) -> None:
    types = {
        "list": pa.list_(pa.float64()),
        "fixed": pa.list_(pa.float32(), D),
        "half": pa.list_(pa.float16()),
    }
    rows = pa.array(list(vectors().astype(np.float16 if kind == "half" else float)), types[kind])
    parquet.write_table(
        pa.table({"sha256": list(images().values()), "embedding": rows}), "t.parquet"
    )
    imported("t.parquet")
    check()


def test_npy_with_a_list_of_paths_beside_it() -> None:
    np.save("emb.npy", vectors())
    Path("emb.txt").write_text("\n".join(images()))
    imported("emb.npy")
    check()


def test_npy_with_a_table_beside_it_and_images_elsewhere() -> None:
    Path("far").mkdir()
    np.save("far/emb.npy", vectors())
    csv.write_csv(pa.table({"path": list(images())}), "far/emb.csv")
    imported("far/emb.npy", "--images", ".")
    check()


def test_a_folder_of_clip_retrieval() -> None:
    clip_retrieval("theirs", image_path=[f"../../{path}" for path in images()])
    imported("theirs")
    check()


def test_ours_in_that_layout_come_in_again(capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--models", "models.toml", "--profile", "fake", "--store", "store")
    for name in ("a", "b"):
        assert main(["prepare", name, *options, "--quiet"]) == 0
    capsys.readouterr()
    assert main(["store", "export", "out", *options, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["vectors"] == N
    meta = parquet.read_table("out/metadata/metadata_0.parquet")
    rows = np.load("out/img_emb/img_emb_0.npy", allow_pickle=False)
    assert rows.dtype == np.float16
    assert set(meta.column("sha256").to_pylist()) == set(images().values())
    assert all(Path(path).is_file() for path in meta.column("image_path").to_pylist())
    with Store(Path("other")) as other:
        done = take_in(other, Path("out"), "theirs")
    assert (done.vectors, done.left_out) == (N, 0)
    again = stored("theirs", "other")
    for id_, row in zip(meta.column("sha256").to_pylist(), rows, strict=True):
        np.testing.assert_allclose(again[id_], row.astype(np.float32), atol=1e-3)


def test_they_are_never_mixed_with_computed_ones_or_with_another_import() -> None:
    options = ("--models", "models.toml", "--profile", "fake", "--store", "store", "--quiet")
    assert main(["prepare", "a", *options]) == 0
    np.save("emb.npy", vectors())
    Path("emb.txt").write_text("\n".join(images().values()))
    imported("emb.npy")
    with Store(Path("store")) as store:
        counts = sorted(known.count for known in store.info().vectors)
    assert counts == [N // 2, N]
    np.save("emb.npy", -vectors())
    imported("emb.npy", code=2)
    check()


def test_a_second_time_changes_nothing() -> None:
    np.save("emb.npy", vectors())
    Path("emb.txt").write_text("\n".join(images()))
    imported("emb.npy")
    imported("emb.npy")
    check()


def test_a_run_uses_them(capsys: pytest.CaptureFixture[str]) -> None:
    texts = [f"a caption of {path}" for path in images()]
    clip_retrieval("theirs", sha256=list(images().values()), caption=texts)
    imported("theirs")
    capsys.readouterr()
    options = ("--models", "models.toml", "--profile", "fake", "--store", "store")
    arguments = ("run", "a", "b", "--imported", "theirs", "--rounds", "1", "--json", *options)
    assert main([*arguments, "--out", "out"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["calls"]["captioner"] == {"computed": 0, "from_store": 0}
    said = parquet.read_table("out/images.parquet").to_pylist()
    assert {row["caption"] for row in said if row["caption"]} <= set(texts)
    with Store(Path("store")) as store:
        assert [known.count for known in store.info().vectors if known.count == N] == [N]


def test_images_that_the_import_lacks_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    np.save("emb.npy", vectors()[: N - 1])
    Path("emb.txt").write_text("\n".join(list(images())[: N - 1]))
    imported("emb.npy")
    options = ("--models", "models.toml", "--profile", "fake", "--store", "store", "--quiet")
    assert main(["test", "a dog", "a", "b", "--imported", "theirs", "--out", "o", *options]) == 2
    assert "has no vector of 1 images" in capsys.readouterr().err
    assert main(["test", "a dog", "a", "b", "--imported", "nobody", "--out", "p", *options]) == 2
    assert "store import FILE --as nobody" in capsys.readouterr().err


def test_vectors_of_another_space_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    np.save("emb.npy", vectors()[:, :7])
    Path("emb.txt").write_text("\n".join(images()))
    imported("emb.npy")
    options = ("--models", "models.toml", "--profile", "fake", "--store", "store", "--quiet")
    assert main(["test", "a dog", "a", "b", "--imported", "theirs", "--out", "o", *options]) == 2
    assert "have 7 numbers" in capsys.readouterr().err


def test_rows_that_cannot_be_used_are_counted_and_named(capsys: pytest.CaptureFixture[str]) -> None:
    rows = vectors()
    rows[0] = np.nan
    rows[1] = 0
    np.save("emb.npy", rows)
    Path("emb.txt").write_text("\n".join([*list(images())[: N - 1], "gone.png"]))
    imported("emb.npy", "--json")
    done = json.loads(capsys.readouterr().out)
    assert (done["vectors"], done["left_out"]) == (N - 3, 3)
    assert "gone.png: no such file" in str(done["skipped"])


@pytest.mark.parametrize(
    "damage", ["object", "integers", "cube", "short", "long", "alone", "text", "nothing", "pickle"]
)
def test_what_is_no_source_is_refused(damage: str, capsys: pytest.CaptureFixture[str]) -> None:
    rows: np.ndarray = vectors()
    names = list(images())
    shapes = {
        "object": np.array([{}] * N, dtype=object),
        "integers": np.ones((N, D), int),
        "cube": np.ones((N, D, 2)),
        "short": rows[:-1],
        "long": np.concatenate([rows, rows]),
    }
    np.save("emb.npy", shapes.get(damage, rows), allow_pickle=True)
    if damage != "alone":
        Path("emb.txt").write_text("\n".join(names))
    if damage == "text":
        Path("emb.npy").write_text("no numbers")
    if damage == "pickle":
        Path("emb.npy").write_bytes(pickle.dumps(rows))
    if damage == "nothing":
        Path("emb.npy").unlink()
    imported("emb.npy", code=2)
    assert "emb" in capsys.readouterr().err
    with Store(Path("store")) as store, pytest.raises(InputError):
        take_in(store, Path("nowhere"), "x")
