"""One folder or tar that holds whole models, ready to be carried to a machine with no network.

``manifest.json`` comes first and lists each file's sha256 and size, each model's licence and its
entry for models.toml. A tar is not compressed: weights do not compress, and an uncompressed one can
be read in any order.
"""

import io
import shutil
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from visdiff_local.errors import UsageError
from visdiff_local.models import domain
from visdiff_local.models.backends.files import sha256
from visdiff_local.models.specs import ModelSpec, Profile
from visdiff_local.models.weights import disk
from visdiff_local.models.weights.choose import choose
from visdiff_local.models.weights.manifest import NAME, FileRecord, Manifest, PackedModel
from visdiff_local.models.weights.verify import insist
from visdiff_local.system.files import sync, write_whole

Say = Callable[[str], None]
Add = Callable[[Path, str], None]

_BESIDE = (domain.FILE,)
"""What the program itself may keep with a model."""


def pack(
    models: Mapping[Path, ModelSpec],
    out: Path,
    *,
    profiles: tuple[Profile, ...] = (),
    say: Say = lambda _: None,
) -> Manifest:
    """Writes the pack; a name that ends in ``.tar`` makes a tar, any other a folder.

    Args:
        models: where each model lies.

    Raises:
        UsageError: ``out`` is there already.
        WeightsError: a model is not whole, or the disk is full; nothing is left of the pack then.
    """
    if out.exists():
        raise UsageError(f"{out} is there already; name another, or remove it")
    described = {}
    for folder, spec in models.items():
        say(f"{spec.name}: checking")
        insist(spec, folder)
        described[spec.name] = describe(spec, folder)
    manifest = Manifest(profiles={p.name: p for p in profiles}, models=described)
    out.parent.mkdir(parents=True, exist_ok=True)
    disk.need(out.parent, manifest.size)
    writer = _tar if out.suffix == ".tar" else _folder
    with disk.writing(out, "the unfinished pack was removed"), writer(out, manifest) as add:
        for folder, spec in models.items():
            packed = manifest.models[spec.name]
            say(f"{spec.name}: packing {packed.size / 1e9:.2f} GB")
            for name in packed.files:
                add(folder / name, f"{packed.folder}/{name}")
    return manifest


def describe(spec: ModelSpec, folder: Path) -> PackedModel:
    """The model's part of a manifest, its entry with all checksums filled in."""
    names = choose(spec, [path.name for path in folder.iterdir() if path.is_file()])
    beside = [name for name in _BESIDE if (folder / name).is_file()]
    files = {
        name: FileRecord(sha256=sha256(folder / name), size=(folder / name).stat().st_size)
        for name in (*names, *beside)
    }
    known = {name: f"sha256:{files[name].sha256}" for name in names}
    filled = spec.model_copy(update={"files": known})
    return PackedModel(folder=spec.folder or spec.name, spec=filled, files=files)


@contextmanager
def _folder(out: Path, manifest: Manifest) -> Iterator[Add]:
    """Built under another name, so that a folder of the right name is always a whole pack."""
    draft = out.with_name(f".{out.name}.part")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)

    def add(source: Path, name: str) -> None:
        target = draft / name
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        sync(target)

    try:
        write_whole(draft / NAME, manifest.to_bytes())
        yield add
        draft.replace(out)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


@contextmanager
def _tar(out: Path, manifest: Manifest) -> Iterator[Add]:
    draft = out.with_name(f".{out.name}.part")
    try:
        with tarfile.open(draft, "w") as archive:
            content = manifest.to_bytes()
            head = tarfile.TarInfo(NAME)
            head.size = len(content)
            archive.addfile(head, io.BytesIO(content))

            def add(source: Path, name: str) -> None:
                # Not archive.add: no owner, mode or path of this machine goes into the pack.
                member = tarfile.TarInfo(name)
                member.size = source.stat().st_size
                with source.open("rb") as stream:
                    archive.addfile(member, stream)

            yield add
        sync(draft)
        draft.replace(out)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
