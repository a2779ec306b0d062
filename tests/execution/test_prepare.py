"""``prepare``: the store filled beforehand, in one go or by shards, to the bit the same."""

import itertools
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

from visdiff_local.cli.main import main
from visdiff_local.errors import InputError, UsageError, WeightsError
from visdiff_local.execution.shards import PartSink, Shard, StoreSink, prepare
from visdiff_local.execution.tasks import Order, Worker, recipe_of
from visdiff_local.images import ImageSet
from visdiff_local.models.backends.fake import Fake
from visdiff_local.session import Launcher, configured
from visdiff_local.store import Store, parts
from visdiff_local.store import merge as merging
from visdiff_local.store.content import checksum
from visdiff_local.types import ImageRef

FAKE = (
    '[models.fake]\nbackend = "fake"\n[models.other]\nbackend = "fake"\n'
    '[profiles.fake]\ncaptioner = "fake"\nvlm = "fake"\nllm = "fake"\nembedder = "fake"\n'
)
EVERYTHING = ("--caption", "--embed", "--vqa", "a dog", "--vqa", "red")
IMAGES = 37


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("visdiff_local.execution.tasks.UNIT", 8)
    Path("models.toml").write_text(FAKE)
    pictures(Path("set"), IMAGES)
    return tmp_path


def pictures(folder: Path, count: int, seed: int = 0) -> None:
    folder.mkdir()
    rng = np.random.default_rng(seed)
    for number in range(count):
        pixels = rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")


def run(*arguments: object, code: int = 0) -> None:
    models = () if arguments[0] == "store" else ("--models", "models.toml", "--profile", "fake")
    options = (*models, "--store", "store", "--quiet")
    assert main([str(argument) for argument in (*arguments, *options)]) == code


def sum_of(folder: str | Path) -> str:
    with Store(Path(folder)) as store:
        return checksum(store)


def merged(target: str, *places: str | Path) -> str:
    with Store(Path(target)) as store:
        merging.merge(store, [Path(place) for place in places])
        return checksum(store)


def said(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    return json.loads(capsys.readouterr().out)


# ---- one machine ---------------------------------------------------------------------------------


def test_a_run_after_it_opens_no_model(capsys: pytest.CaptureFixture[str]) -> None:
    pictures(Path("b"), 20, seed=1)
    run("prepare", "set", "--caption", "--embed")
    run("prepare", "b", "--caption", "--embed")
    capsys.readouterr()
    run("run", "set", "b", "--json", "--rounds", "1")
    calls = json.loads(capsys.readouterr().out)["calls"]
    assert calls["captioner"]["computed"] == 0
    assert calls["captioner"]["from_store"] > 0
    assert calls["embedder"]["from_store"] >= IMAGES  # texts were embedded, images not


def test_it_stores_what_a_run_stores_under_the_same_keys() -> None:
    run("prepare", "set", "--caption", "--vqa", "a dog")
    arguments = ("test", "a dog", "set", "set", "--ranker", "vqa", "--out", "out")
    run(*arguments)
    before = sum_of("store")
    run("prepare", "set", "--vqa", "a dog")
    assert sum_of("store") == before


def test_a_second_time_computes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    run("prepare", "set", *EVERYTHING, "--json")
    assert said(capsys)["computed"] == IMAGES
    before = sum_of("store")
    run("prepare", "set", *EVERYTHING, "--json")
    again = said(capsys)
    assert (again["computed"], again["from_store"]) == (0, IMAGES)
    assert sum_of("store") == before


def test_what_cannot_be_read_is_named_and_the_rest_is_done(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("set/bad.png").write_bytes(b"no picture")
    Path("set/empty.png").write_bytes(b"")
    run("prepare", "set", "--json")
    done = said(capsys)
    assert done["statuses"] == {"done": IMAGES, "unreadable": 2}
    assert "bad.png: not an image" in str(done["problems"])


def test_a_set_of_which_nothing_can_be_read_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    Path("none").mkdir()
    Path("none/1.png").write_bytes(b"no picture")
    run("prepare", "none", code=2)
    assert "1.png: not an image" in capsys.readouterr().err


def test_one_image_on_which_a_model_fails_does_not_fail_the_others(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = Fake.caption

    def caption(self: Fake, images: Sequence[ImageRef], prompt: str) -> list[str]:
        if any(ref.name.endswith("/7.png") for ref in images):
            raise IndexError("index 3 is out of bounds")
        texts = plain(self, images, prompt)
        return [
            "" if ref.name.endswith("/9.png") else text
            for ref, text in zip(images, texts, strict=True)
        ]

    monkeypatch.setattr(Fake, "caption", caption)
    run("prepare", "set", "--caption", "--embed", "--json")
    done = said(capsys)
    assert done["statuses"] == {"done": IMAGES - 2, "failed": 1, "no answer": 1}
    assert "7.png: IndexError: index 3 is out of bounds" in str(done["problems"])
    with Store(Path("store")) as store:
        assert store.info().answers == {"caption": IMAGES - 2}
        assert [known.count for known in store.info().vectors] == [IMAGES]  # it was embedded


def test_what_was_finished_is_kept_when_it_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    plain = Fake.caption

    def caption(self: Fake, images: Sequence[ImageRef], prompt: str) -> list[str]:
        if len(asked) == 16:
            raise KeyboardInterrupt
        asked.extend(ref.id for ref in images)
        return plain(self, images, prompt)

    monkeypatch.setattr(Fake, "caption", caption)
    for target in ((), ("--shard", "1/1", "--to", "parts")):
        asked.clear()
        run("prepare", "set", "--caption", *target, code=130)
        kept = list(asked)
        assert len(kept) == 16
        asked.append("")
        run("prepare", "set", "--caption", *target)
        assert sorted(asked[17:] + kept) == sorted({*asked} - {""})


# ---- shards --------------------------------------------------------------------------------------


def test_shards_merged_in_any_order_are_one_run(tmp_path: Path) -> None:
    Path("set/bad.png").write_bytes(b"no picture")
    shutil.copy("set/3.png", "set/twice.png")
    run("prepare", "set", *EVERYTHING)
    whole = sum_of("store")
    for number in range(8):
        run("prepare", "set", *EVERYTHING, "--shard", f"{number + 1}/8", "--to", f"parts/{number}")
    parts = [Path("parts") / str(number) for number in range(8)]
    rng = np.random.default_rng(0)
    for trial in range(4):
        order = [parts[i] for i in rng.permutation(8)]
        assert merged(f"merged{trial}", *order) == whole
    assert merged("merged0", *parts) == whole  # and again
    shutil.rmtree("store")
    run("store", "merge", "parts")
    assert sum_of("store") == whole


def test_a_shard_that_is_done_computes_nothing_again(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("prepare", "set", *EVERYTHING, "--shard", "2/3", "--to", "parts", "--json")
    run(*arguments)
    assert said(capsys)["computed"] > 0
    before = sorted(Path("parts").iterdir())
    run(*arguments)
    assert said(capsys)["computed"] == 0
    assert sorted(Path("parts").iterdir()) == before


@pytest.mark.parametrize("count", [1, 2, 3, 8, 37, 100])
def test_every_image_is_in_one_shard(count: int) -> None:
    refs = ImageSet.open("set").images
    shards = [Shard(number + 1, count).of(refs) for number in range(count)]
    assert tuple(itertools.chain(*shards)) == refs
    assert max(map(len, shards)) - min(map(len, shards)) <= 1


@pytest.mark.parametrize("text", ["0/3", "4/3", "3", "a/b", "1/0", "-1/3", "1/3/5"])
def test_a_shard_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"such as --shard 3/8"):
        Shard.parse(text)


def test_parts_of_two_recipes_are_refused_and_nothing_is_merged(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run("prepare", "set", "--shard", "1/2", "--to", "parts")
    run("prepare", "set", "--caption", "--shard", "2/2", "--to", "other")
    run("prepare", "set", "--caption", "--shard", "1/2", "--to", "parts", code=2)
    assert "another fingerprint" in capsys.readouterr().err
    run("store", "merge", "parts", "other", code=2)
    message = capsys.readouterr().err
    assert "2 different fingerprints" in message
    assert "nothing was merged" in message
    assert all(name in message for name in ("parts/part-", "other/part-"))
    run("prepare", "set", "--embedder", "other", "--shard", "2/2", "--to", "third")
    run("store", "merge", "parts", "third", code=2)
    with Store(Path("store")) as store:
        assert store.info().vectors == ()


def test_one_row_of_another_fingerprint_is_refused() -> None:
    run("prepare", "set", "--to", "parts")
    (path,) = Path("parts").iterdir()
    table = parquet.read_table(path)
    prints = table.column("fingerprint").to_pylist()
    prints[-1] = "0" * 64
    place = table.schema.get_field_index("fingerprint")
    changed = table.set_column(place, "fingerprint", pa.array(prints))
    parquet.write_table(changed, path)
    with pytest.raises(InputError, match="2 different fingerprints"):
        merged("store", "parts")
    assert sum_of("store") == sum_of("empty")


def test_a_part_holds_what_its_columns_say() -> None:
    run("prepare", "set", *EVERYTHING, "--to", "parts")
    (path,) = Path("parts").iterdir()
    table = parquet.read_table(path)
    wanted = {"sha256", "name", "vector", "caption", "fingerprint", "status", "reason"}
    assert wanted <= set(table.column_names)
    assert table.schema.field("vector").type.value_type == pa.float16()
    assert table.num_rows == IMAGES
    assert set(table.column("status").to_pylist()) == {"done"}


@pytest.mark.parametrize("damage", ["cut", "flipped", "text", "empty"])
def test_a_damaged_part_is_named(damage: str, capsys: pytest.CaptureFixture[str]) -> None:
    run("prepare", "set", "--caption", "--to", "parts")
    (path,) = Path("parts").iterdir()
    raw = bytearray(path.read_bytes())
    if damage == "flipped":
        raw[len(raw) // 4] ^= 1
    path.write_bytes({"cut": raw[:-9], "flipped": raw, "text": b"a,b\n", "empty": b""}[damage])
    run("store", "merge", "parts", code=2)
    assert path.name in capsys.readouterr().err


def test_no_part_at_all_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    Path("parts").mkdir()
    run("store", "merge", "parts", code=2)
    assert "prepare SET --shard" in capsys.readouterr().err
    run("store", "merge", "nowhere", code=2)
    assert "nowhere" in capsys.readouterr().err


def test_merging_holds_no_part_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "ROWS_AT_ONCE", 5)
    run("prepare", "set", *EVERYTHING, "--to", "parts")
    sizes: list[int] = []
    plain = merging.put

    def put(store: Store, rows: Sequence[object], recipe: parts.Recipe) -> None:
        sizes.append(len(rows))
        plain(store, rows, recipe)

    monkeypatch.setattr(merging, "put", put)
    run("store", "merge", "parts")
    assert max(sizes) == 5
    assert sum(sizes) == IMAGES


# ---- the sinks by themselves ---------------------------------------------------------------------


def test_a_part_is_closed_after_so_many_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("visdiff_local.execution.shards.ROWS_A_PART", 10)
    run("prepare", "set", "--to", "parts")
    sizes = sorted(parquet.read_table(path).num_rows for path in Path("parts").iterdir())
    assert len(sizes) > 1
    assert sum(sizes) == IMAGES


def test_other_weights_than_those_that_were_planned_with_are_refused() -> None:
    config = configured(a="set", b="", models="models.toml", profile="fake", store="store")
    with Launcher() as launcher:
        recipe = recipe_of(Order(embed=True), config, launcher.roles(config))
        elsewhere = config.model_copy(update={"embedder": "other"})
        with pytest.raises(WeightsError, match="give every machine the same"):
            Worker(elsewhere, recipe)


def test_both_sinks_are_asked_for_what_is_lacking(tmp_path: Path) -> None:
    config = configured(a="set", b="", models="models.toml", profile="fake", store="store")
    refs = ImageSet.open("set").images
    with Launcher() as launcher:
        recipe = recipe_of(Order(True, True, ("a dog",)), config, launcher.roles(config))
        for sink in (
            StoreSink(launcher.store(config), recipe),
            PartSink(tmp_path / "parts", Shard(), recipe),
        ):
            assert sink.lacking(refs) == list(refs)
            with Worker(config, recipe) as worker:
                assert prepare(refs[:20], sink, worker.all).computed == 20
        again = (
            StoreSink(launcher.store(config), recipe),
            PartSink(tmp_path / "parts", Shard(), recipe),
        )
        assert [sink.lacking(refs) for sink in again] == [list(refs[20:])] * 2


def test_sets_are_listed_as_a_run_lists_them(capsys: pytest.CaptureFixture[str]) -> None:
    run("prepare", "set", "--max-images", "10", "--seed", "3", "--json")
    assert said(capsys)["images"] == 10
    Path("t.csv").write_text("file,group_name\n" + "".join(f"set/{i}.png,x\n" for i in range(5)))
    run("prepare", "t.csv", "--a", "x", "--path-column", "file", "--json")
    assert said(capsys)["images"] == 5
