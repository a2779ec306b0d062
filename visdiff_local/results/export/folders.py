"""Folders that other programs load: Hugging Face's ImageFolder, and FiftyOne's own format."""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from visdiff_local.errors import InputError, UnreadableImageError
from visdiff_local.images import File, decoded
from visdiff_local.results.export.rows import Choice, Rows, as_json, plain
from visdiff_local.types import ImageRef, Locator


def write_imagefolder(run_dir: Path, place: Path, choice: Choice) -> None:
    """``SET/NAME`` and ``metadata.jsonl``, as `datasets.load_dataset("imagefolder", data_dir=…)`
    takes them: https://huggingface.co/docs/datasets/image_dataset#imagefolder.

    Raises:
        InputError: an image is not where it was.
    """
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    taken: set[str] = set()
    lost = []
    paths = iter(Rows(run_dir, Choice(choice.text, choice.top)).rows())
    with (place / "metadata.jsonl").open("w", encoding="utf-8") as lines:
        for row in Rows(run_dir, choice).rows():
            named = str(next(paths)["path"])
            if row["id"] is None:
                continue
            try:
                content, suffix = _content(named, row["id"], choice)
            except UnreadableImageError:
                lost.append(named)
                continue
            name = _name(row, Path(named).with_suffix(suffix), choice, taken)
            (place / name).parent.mkdir(exist_ok=True)
            (place / name).write_bytes(content)
            lines.write(as_json({"file_name": name, **row}) + "\n")
    if lost:
        raise InputError(
            f"{len(lost)} images are not where they were, such as {lost[0]}; the others are in "
            f"{place}"
        )


def write_fiftyone(run_dir: Path, place: Path, choice: Choice) -> None:
    """``data.json`` (where each image lies) and ``labels.json`` (its set, caption and scores): a
    ``fiftyone.types.FiftyOneImageClassificationDataset``,
    https://docs.voxel51.com/user_guide/import_datasets.html#fiftyoneimageclassificationdataset."""
    chosen = Rows(run_dir, choice)
    columns = {t.column: t.text for t in chosen.texts}
    paths: dict[str, str] = {}
    labels: dict[str, Any] = {}
    for row in chosen.rows():
        if row["id"] is None:
            continue
        key = f"{row['group_name']}-{row['id']}"
        paths[key] = row["path"] if choice.paths else ""
        labels[key] = {"label": row["group_name"], "attributes": _attributes(row, columns)}
    classes = sorted({item["label"] for item in labels.values()})
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    _dump(place / "labels.json", {"classes": classes, "labels": labels})
    if choice.paths:
        _dump(place / "data.json", paths)


def _content(named: str, identity: str, choice: Choice) -> tuple[bytes, str]:
    """The image's file and its suffix; of a part (a frame, a crop) its pixels as PNG, and so of
    every image where names must not leave: a file's own fields may hold any."""
    path = Path(named)
    at: Locator = File(path)
    if not path.is_file():
        at = choice.locate(named) or at
    if not at.part and choice.paths:
        return at.read(), path.suffix.lower()
    _, image = next(iter(decoded([ImageRef(identity, at)], workers=1)))
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue(), ".png"


def _name(row: Mapping[str, Any], source: Path, choice: Choice, taken: set[str]) -> str:
    """Where a copy lies: under its own name where that is free and may be known."""
    suffix = source.suffix.lower()
    name = f"{row['group_name']}/{source.name}"
    if not choice.paths or name in taken:
        name = f"{row['group_name']}/{row['id']}{suffix}"
    taken.add(name)
    return name


def _attributes(row: Mapping[str, Any], texts: Mapping[str, str]) -> dict[str, Any]:
    skipped = ("path", "group_name", "set", "reason", "used")
    cells = {texts.get(name, name): plain(v) for name, v in row.items() if name not in skipped}
    return {name: value for name, value in cells.items() if value is not None}


def _dump(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
