"""Claim: thousands of corrupted images never stop a run; each is listed with the reason, and memory
stays within 300 MB of the same run on sound images.

    python scripts/performance/corrupt_images.py [--images 10000] [--source folder|tar|parquet]

Truncated, bit-flipped, header-only, of huge dimensions, and with bombs in compressed text and
colour-profile chunks, in equal shares, beside 100 sound images. A flipped bit may leave an image
that can be decoded: such a file counts as an image. The same number of sound images is run for
comparison. Prints the difference of the peaks in memory last.
"""

import argparse
import io
import json
import os
import struct
import subprocess
import sys
import tempfile
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
from _shared import FAKE_MODELS, SOURCES, noisy_pictures, packed
from PIL import Image

SOUND = 100
BOMB_MIB = 256
PNG = b"\x89PNG\r\n\x1a\n"


def chunk(kind: bytes, content: bytes) -> bytes:
    """One PNG chunk with its right checksum."""
    whole = kind + content
    return struct.pack(">I", len(content)) + whole + struct.pack(">I", zlib.crc32(whole))


def truncated(sound: bytes, rng: np.random.Generator) -> bytes:
    return sound[: int(rng.integers(20, len(sound) - 20))]


def flipped(sound: bytes, rng: np.random.Generator) -> bytes:
    damaged = bytearray(sound)
    for place in rng.integers(0, len(sound), 8).tolist():
        damaged[place] ^= 1 << int(rng.integers(8))
    return bytes(damaged)


def header_only(sound: bytes, rng: np.random.Generator) -> bytes:
    return sound[: int(rng.integers(4, 34))]


def huge(sound: bytes, rng: np.random.Generator) -> bytes:
    side = int(rng.integers(20_000, 2**31 - 1))
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    rows = chunk(b"IDAT", zlib.compress(rng.bytes(64)))
    return PNG + head + rows + chunk(b"IEND", b"")


def bomb(sound: bytes, rng: np.random.Generator) -> bytes:
    """A sound picture with a chunk in front of it that unpacks to a quarter of a gigabyte."""
    packed = BOMBS[int(rng.integers(len(BOMBS)))]
    salt = chunk(b"tEXt", b"salt\0" + rng.bytes(8).hex().encode())  # no two files are the same
    return sound[:33] + packed + salt + sound[33:]


def bombs() -> tuple[bytes, ...]:
    packer = zlib.compressobj(9)
    block = bytes(1 << 20)
    packed = b"".join(packer.compress(block) for _ in range(BOMB_MIB)) + packer.flush()
    return (
        chunk(b"zTXt", b"bomb\0\0" + packed),
        chunk(b"iTXt", b"bomb\0\1\0\0\0" + packed),
        chunk(b"iCCP", b"bomb\0\0" + packed),
    )


KINDS: tuple[Callable[[bytes, np.random.Generator], bytes], ...] = (
    truncated,
    flipped,
    header_only,
    huge,
    bomb,
)
BOMBS = bombs()


def sound_png(rng: np.random.Generator) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(rng.integers(0, 256, (48, 48, 3), dtype=np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def corrupted(folder: Path, count: int, seed: int) -> None:
    """Writes them beside what is there, the kind in the name."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        kind = KINDS[number % len(KINDS)]
        content = kind(sound_png(rng), rng)
        (folder / f"{number:05d}-{kind.__name__}.png").write_bytes(content)


def run(place: Path, name: str, kind: str) -> tuple[dict[str, object], float]:
    """run.json of ``a`` against ``b``, and the peak of the process's memory in MiB."""
    command = [sys.executable, "-m", "visdiff_local", "run"]
    command += [str(packed(place / name / side, kind)) for side in ("a", "b")]
    command += ["--models", str(place / "models.toml"), "--profile", "fake", "--quiet"]
    command += ["--store", str(place / name / "store"), "--out", str(place / name / "out")]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"the run on {name} images ended with {child.returncode}")
    return json.loads((place / name / "out" / "run.json").read_text()), usage.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=10_000, help="corrupted ones in all")
    parser.add_argument("--source", choices=SOURCES, default="folder")
    options = parser.parse_args()
    half = options.images // 2
    with tempfile.TemporaryDirectory() as made:
        place = Path(made)
        (place / "models.toml").write_text(FAKE_MODELS)
        for seed, side in enumerate("ab"):
            noisy_pictures(place / "corrupt" / side, SOUND // 2, seed=seed)
            corrupted(place / "corrupt" / side, half, seed)
            noisy_pictures(place / "sound" / side, SOUND // 2 + half, seed=seed, side=48)
        found, peak = run(place, "corrupt", options.source)
        _, usual = run(place, "sound", options.source)
    listed: Counter[str] = Counter()
    readable = 0
    for side in found["sets"].values():
        listed.update(item["path"].rsplit("-")[-1].split(".")[0] for item in side["skipped"])
        assert all(item["reason"] for item in side["skipped"])
        readable += side["n"] - SOUND // 2
    print(", ".join(f"{kind.__name__}: {listed[kind.__name__]} listed" for kind in KINDS))
    print(f"{readable} could be decoded all the same")
    assert listed.total() + readable == 2 * half, "an image is neither listed nor counted"
    each = 2 * half // len(KINDS)
    whole = [kind.__name__ for kind in KINDS if kind is not flipped]
    assert all(listed[name] >= each - 2 for name in whole), listed
    print(
        f"{options.images} corrupted images: no stop; peak {peak:.0f} MiB against {usual:.0f} MiB"
    )
    print(f"difference {peak - usual:.0f} MiB (claimed: under 300)")


if __name__ == "__main__":
    main()
