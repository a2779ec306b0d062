"""Claim: of damaged DICOM, HEIC, AVIF, JPEG XL, NIfTI, TIFF, 16-bit PNG, video, Parquet,
save_to_disk folders, tar, tar.gz, zip, COCO, JSON lines and metadata tables, each file is read or
refused with a reason: no traceback, exit codes 0 to 4, under 30 s and 2 GB.

    python scripts/performance/fuzz_inputs.py [--count 2000] [--seed 0] [--only KIND]

Each kind is damaged ``count`` times, in a process of its own. Files are listed, decoded and
measured as a run does; for one in :data:`COMMANDS` the whole command line is called. Prints the
outcomes a kind, and the number of failures last.
"""

import argparse
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from _inputs import FILES, SETS, pngs
from _mutations import flipped, mutated
from _shared import FAKE_MODELS
from fuzz import MOST_BYTES, Findings

from visdiff_local.errors import VisdiffError
from visdiff_local.images import ImageSet, Options, read_sets
from visdiff_local.measure import measure

A_FOLDER = 100
"""Damaged files of one set."""
COMMANDS = 10
RUN = ("--profile", "fake", "--quiet", "--proposer", "none", "--out", "out")
OPTIONS = (
    Options(every=0.5),
    Options(every=0.5, frames="all"),
    Options(bands=(0,), crops=True),
    Options(every=60.0, max_images=3),
)


def looked_at(source: Path, options: Options) -> str:
    """As the first stage of a run; what became of it."""
    try:
        found = read_sets([ImageSet.open(source, None, options)], measure=measure, version="1")[0]
    except VisdiffError as error:
        if not str(error):
            raise AssertionError("refused without a word") from error
        return "refused"
    if any(not one.reason for one in found.images.skipped):
        raise AssertionError("skipped without a reason")
    return "read in part" if found.images.skipped else "read"


def files(kind: str, count: int, rng: random.Random, found: Findings) -> None:
    suffix, make = FILES[kind]
    sound = make()
    for start in range(0, count, A_FOLDER):
        folder = Path("damaged")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for number in range(min(A_FOLDER, count - start)):
            (folder / f"{number}{suffix}").write_bytes(flipped(rng.choice(sound), rng))
        (folder / "sound.png").write_bytes(pngs(1)[0])
        turn = start // A_FOLDER
        if turn % COMMANDS == 0:
            found.command("run", str(folder), "good", *RUN)
        else:
            found.case(lambda: looked_at(folder, OPTIONS[turn % len(OPTIONS)]), f"folder {turn}")  # noqa: B023 (called now)


def sets(kind: str, count: int, rng: random.Random, found: Findings) -> None:
    make, names = SETS[kind]
    folder = Path("sound")
    folder.mkdir()
    source = make(folder)
    targets = [source / name for name in names] or [source]
    contents = {path: path.read_bytes() for path in targets}
    for number in range(count):
        target = rng.choice(targets)
        for path, content in contents.items():
            path.write_bytes(content)
        raw = contents[target]
        if target.suffix == ".json" and number % 2:
            target.write_text(json.dumps(mutated(json.loads(raw), rng)))
        else:
            target.write_bytes(flipped(raw, rng))
        # Another age: what is remembered of a file is remembered by size and age.
        os.utime(target, ns=(number, number))
        crops = ["--crops"] if kind == "coco" and number % 4 else []
        if number % (10 * COMMANDS) == 0:
            found.command("run", str(source), "good", *RUN, *crops)
        else:
            options = Options(crops=bool(crops), frames="all" if number % 3 else "first")
            found.case(lambda: looked_at(source, options), f"{kind} {number}")  # noqa: B023 (called now)


def one_kind(kind: str, count: int, seed: int) -> None:
    """In a process of its own: what was found, as JSON on stdout."""
    with tempfile.TemporaryDirectory() as place:
        os.chdir(place)
        Path("models.toml").write_text(FAKE_MODELS)
        Path("good").mkdir()
        for number, raw in enumerate(pngs()):
            Path("good", f"{number}.png").write_bytes(raw)
        os.environ |= {
            "VISDIFF_STORE": f"{place}/store", "XDG_CACHE_HOME": f"{place}/cache",
            "VISDIFF_MODELS": f"{place}/models.toml", "HOME": f"{place}/home",
        }  # fmt: skip
        os.environ.pop("VISDIFF_TRACEBACK", None)
        found = Findings()
        began = time.monotonic()
        np.seterr(all="ignore")
        (files if kind in FILES else sets)(kind, count, random.Random(seed), found)
        os.chdir("/")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if peak << 10 > MOST_BYTES:
        found.failures.append(f"the process had {peak >> 10} MiB")
    told = {"outcomes": found.outcomes, "failures": found.failures, "peak": peak >> 10}
    print(json.dumps({**told, "seconds": round(time.monotonic() - began)}))


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--count", type=int, default=2000)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--only", choices=sorted({**FILES, **SETS}))
    options.add_argument("--here", action="store_true", help="with --only, in this process")
    chosen = options.parse_args()
    if chosen.here:
        one_kind(chosen.only, chosen.count, chosen.seed)
        return 0
    failures = 0
    for kind in [chosen.only] if chosen.only else [*FILES, *SETS]:
        words = ["--here", "--only", kind, "--count", str(chosen.count), "--seed", str(chosen.seed)]
        done = subprocess.run(
            [sys.executable, __file__, *words], stdout=subprocess.PIPE, text=True, check=False
        )
        if done.returncode != 0:
            print(f"{kind}: the process ended with {done.returncode}", flush=True)
            failures += 1
            continue
        told = json.loads(done.stdout.splitlines()[-1])
        failures += len(told["failures"])
        said = f"{told['outcomes']}, {told['seconds']} s, {told['peak']} MiB"
        print(f"{chosen.count} × {kind}: {said}", flush=True)
        for failure in told["failures"][:20]:
            print(f"  {failure}", flush=True)
    print(f"{failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
