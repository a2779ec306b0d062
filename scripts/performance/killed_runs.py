"""Claim: a run that is killed at any moment (SIGKILL) loses nothing that was finished: the same
command then completes, with results identical to an undisturbed run.

    python scripts/performance/killed_runs.py [--kills 50] [--images 60] [--seed 0]
        [--source folder|tar|parquet]

Runs are real command lines in forked processes, with fake models that need no weights. Most kills
come at a random moment between the start and the end of a run (reading, captioning, embedding,
ranking, writing); every fifth while ``store gc`` compacts the store of a finished run. Last, two
processes run the same command on one empty store at once. Prints the number of differing results
last.
"""

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import faiss  # noqa: F401 (so that forked children need not load it)
from _shared import FAKE_MODELS, SOURCES, noisy_pictures, packed

from visdiff_local.cli import run, store, tables  # noqa: F401
from visdiff_local.cli.main import main as command_line
from visdiff_local.models.backends import fake  # noqa: F401
from visdiff_local.results import folder as run_folder  # noqa: F401

COMPACT_EVERY = 5


def start(arguments: list[str], log: Path) -> int:
    """Runs the command line in a forked process; its id."""
    child = os.fork()
    if child:
        return child
    try:
        handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(handle, 1)
        os.dup2(handle, 2)
        os._exit(command_line(arguments))
    finally:
        os._exit(99)


def finish(child: int, log: Path) -> float:
    """Waits; seconds it took from now. Raises SystemExit when the command failed, and why."""
    began = time.monotonic()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code:
        said = log.read_text(errors="replace").splitlines()[-3:]
        raise SystemExit(f"the command ended with {code}: {'; '.join(said)}")
    return time.monotonic() - began


def kill_after(child: int, seconds: float) -> bool:
    """Whether it was still running when it was killed."""
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def result(out: Path) -> object:
    """What a run found; without times, counts of calls, and the names of its own folders."""
    content = json.loads((out / "run.json").read_text())
    kept = ("sets", "summary", "differences", "measured", "warnings", "duplicates")
    return {name: content.get(name) for name in kept}


def last_stage(log: Path) -> str:
    """The stage that was told of last; progress comes as plain lines."""
    lines = [line for line in log.read_text(errors="replace").splitlines() if ":" in line]
    return "after " + lines[-1].split(":")[0] if lines else "at the start"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--images", type=int, default=60, help="of each set")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--source", choices=SOURCES, default="folder")
    options = parser.parse_args()
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as made:
        place = Path(made)
        trial = Trial(place, options.images, options.source)
        expected, usual = trial.undisturbed()
        moments: Counter[str] = Counter()
        different = 0
        kills = 0
        while kills < options.kills:
            if kills % COMPACT_EVERY == COMPACT_EVERY - 1:
                moment = trial.killed_compaction(chance.random() * usual / 4)
            else:
                moment = trial.killed_run(chance.random() * usual)
            if moment is None:  # it was faster than the kill
                continue
            kills += 1
            moments[moment] += 1
            different += trial.completed() != expected
        together = trial.two_at_once()
    for moment, count in sorted(moments.items()):
        print(f"killed {count:>3} × {moment}")
    different += sum(found != expected for found in together)
    print(f"{kills} kills, then two processes at once on one store")
    print(f"{different} results differ from the undisturbed run's (claimed: 0)")
    sys.exit(different > 0)


class Trial:
    """One command on one pair of sets, again and again on new stores."""

    def __init__(self, place: Path, images: int, kind: str) -> None:
        self._store, self._out, self._log = place / "store", place / "out", place / "log"
        sets = [
            str(packed(noisy_pictures(place / name, images, seed=seed), kind))
            for seed, name in enumerate("ab")
        ]
        (place / "models.toml").write_text(FAKE_MODELS)
        self._run = ["run", *sets, "--profile", "fake"]
        self._run += ["--models", str(place / "models.toml"), "--ranker", "clip+caption-qa"]
        self._place = place

    def undisturbed(self) -> tuple[object, float]:
        """The result on an empty store, and the seconds it takes."""
        self._empty()
        began = time.monotonic()
        finish(self._started(), self._log)
        return result(self._out), time.monotonic() - began

    def killed_run(self, after: float) -> str | None:
        self._empty()
        return last_stage(self._log) if kill_after(self._started(), after) else None

    def killed_compaction(self, after: float) -> str | None:
        self._empty()
        finish(self._started(), self._log)
        collecting = ["store", "gc", "--older-than", "30", "--store", str(self._store)]
        child = start(collecting, self._log)
        return "in compaction" if kill_after(child, after) else None

    def completed(self) -> object:
        """The result of the same command, on what the killed one left."""
        shutil.rmtree(self._out, ignore_errors=True)
        finish(self._started(), self._log)
        return result(self._out)

    def two_at_once(self) -> list[object]:
        self._empty()
        outs = [self._place / name for name in ("one", "two")]
        for child in [self._started(out) for out in outs]:
            finish(child, self._log)
        return [result(out) for out in outs]

    def _started(self, out: Path | None = None) -> int:
        places = ["--store", str(self._store), "--out", str(out or self._out)]
        return start([*self._run, *places], self._log)

    def _empty(self) -> None:
        for folder in (self._store, self._out):
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
