"""Claim: 20 groups × 500 images compared take at most 1.5 × the processor time of one run over the
same images, and at most 2 GB.

    python scripts/performance/compare_groups.py [--groups 20] [--images 500]

The models are fake (they cost nothing), so what is left is the program's own work, which is where
many groups could cost more. Both start from an empty store; each is a process of its own, imports
included. The run's sets are the two halves of the groups. Prints the ratio last.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from _shared import FAKE_MODELS, noisy_pictures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--groups", type=int, default=20)
    parser.add_argument("--images", type=int, default=500, help="of each group")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        place = Path(made)
        noisy_pictures(place / "pictures", options.groups * options.images)
        files = sorted((place / "pictures").iterdir())
        rows = [
            f"pictures/{file.name},{group},{'ab'[group % 2]}"
            for at, file in enumerate(files)
            for group in [at % options.groups]
        ]
        table = place / "table.csv"
        table.write_text("\n".join(["path,camera,group_name", *rows]) + "\n")
        (place / "models.toml").write_text(FAKE_MODELS)
        given = ["--profile", "fake", "--quiet"]
        models = str(place / "models.toml")
        once = measured(
            ["run", str(table), "--a", "a", "--b", "b", "--models", models, *given], place / "run"
        )
        many = measured(
            ["compare", str(table), "--by", "camera", "--models-file", models, *given],
            place / "compare",
        )
    count = options.groups * options.images
    print(f"{count} images; one run {once[0]:.1f} s of processor time, {once[1]:.2f} GB at most")
    print(f"{options.groups} groups {many[0]:.1f} s, {many[1]:.2f} GB at most")
    print(f"ratio {many[0] / once[0]:.2f} (claimed: at most 1.5)")


def measured(arguments: list[str], place: Path) -> tuple[float, float]:
    """Seconds of processor time, threads and children included, and the most memory in GB."""
    where = ["--store", str(place / "store"), "--out", str(place / "out")]
    command = [sys.executable, "-m", "visdiff_local", *arguments, *where]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"the command ended with {child.returncode}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e9


if __name__ == "__main__":
    main()
