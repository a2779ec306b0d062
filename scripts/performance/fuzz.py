"""Claim: whatever is mutated (images, tables, packs, GGUF headers, chat templates, run.json,
requests), the exit code is 0, 2, 3 or 4, there is no traceback and no defect, nothing takes 30 s or
2 GB, and nothing is written outside the store and the run folder.

    python scripts/performance/fuzz.py [--share 1.0] [--seed 0] [--only KIND]

With --share 1: 5,000 images over all formats that Pillow writes here, 2,000 tables, 500 packs, 500
GGUF headers, 500 templates, 500 run.json, 300 requests, 500 other files: tar, Parquet, COCO,
vectors, models.toml, tables of images, notes, comparisons (a live server is attacked by
serve_under_attack.py). Each kind runs in a process of its own, whose peak is read. Prints what was
found a kind, and the number of failures last.
"""

import argparse
import contextlib
import io
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import _sound
from _mutations import ODD, TEMPLATE_PARTS, flipped, mutated
from _shared import FAKE_MODELS

COUNTS = {
    "images": 5000, "tables": 2000, "packs": 500, "ggufs": 500, "templates": 500, "runs": 500,
    "requests": 300, "files": 500,
}  # fmt: skip
MOST_SECONDS = 30
MOST_BYTES = 2 << 30
A_FOLDER = 250
"""Mutated images of one run."""
ROOT = Path(__file__).parents[2]


class TooSlowError(Exception):
    """A case did not end within :data:`MOST_SECONDS`."""


class Findings:
    """Outcomes, and the cases that failed."""

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self.failures: list[str] = []

    def command(self, *words: str) -> None:
        """Runs one command line of the program."""
        from visdiff_local.cli.main import main

        said, out = io.StringIO(), io.StringIO()

        def run() -> str:
            with contextlib.redirect_stderr(said), contextlib.redirect_stdout(out):
                code = main(words)
            text = said.getvalue() + out.getvalue()
            odd = [c for c in text if not c.isprintable() and c != "\n"]
            if code not in (0, 2, 3, 4) or "Traceback" in text or "a defect in" in text or odd:
                raise AssertionError(f"{code}: {text[-300:]!r}")
            return f"exit {code}"

        self.case(run, " ".join(words)[:80])

    def case(self, run: Callable[[], str], what: str) -> None:
        def late(*_: object) -> None:
            raise TooSlowError

        # Of processor time, so that a busy machine finds nothing; and on the clock, for a trap.
        signal.signal(signal.SIGPROF, late)
        signal.signal(signal.SIGALRM, late)
        signal.setitimer(signal.ITIMER_PROF, MOST_SECONDS)
        signal.alarm(20 * MOST_SECONDS)
        try:
            self.outcomes[run()] += 1
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is what is looked for
            self.failures.append(f"{what}: {type(error).__name__}: {str(error)[:300]}")
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.alarm(0)


# ---- kinds ---------------------------------------------------------------------------------------


def images(place: Path, count: int, rng: random.Random, found: Findings) -> None:
    import numpy as np
    from PIL import Image

    Image.init()
    noise = np.random.default_rng(0).integers(0, 255, (40, 48, 3), dtype=np.uint8)
    sound = []
    for suffix, name in sorted(Image.registered_extensions().items()):
        stream = io.BytesIO()
        try:
            Image.fromarray(noise).save(stream, name)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
        sound.append((suffix, stream.getvalue()))
    sound += _sound.pictures()
    good = place / "good"
    good.mkdir()
    for number in range(6):
        Image.fromarray(np.roll(noise, number, 0)).save(good / f"{number}.png")
    for start in range(0, count, A_FOLDER):
        folder = place / f"mutated{start}"
        folder.mkdir()
        for number in range(min(A_FOLDER, count - start)):
            suffix, content = rng.choice(sound)
            (folder / f"{number}{suffix}").write_bytes(flipped(content, rng))
        Image.fromarray(noise).save(folder / "sound.png")
        words = ["--profile", "fake", "--quiet", "--proposer", "none", "--out", "out"]
        found.command("run", str(folder), str(good), *words)


def tables(place: Path, count: int, rng: random.Random, found: Findings) -> None:
    from PIL import Image

    for number in range(6):
        Image.new("RGB", (8, 8), (number * 40, 0, 0)).save(place / f"{number}.png")
    rows = "".join(f"{n}.png,{'AB'[n % 2]},{n / 7},site {n % 3}\n" for n in range(6))
    sound = ("path,group_name,score,site\n" + rows).encode()
    wheres = (*ODD, "A", "score > 0.5", "group_name = 'A'", "score > quantile(0.5)", "x" * 2500)
    for number in range(count):
        file = place / rng.choice(("t.csv", "t.tsv", "t.parquet", "t.txt", "t.jsonl"))
        file.write_bytes(flipped(sound, rng) if number % 10 else rng.randbytes(500))
        where = rng.choice(wheres).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        words = ["--profile", "fake", "--quiet", "--proposer", "none", "--out", "out"]
        found.command("run", str(file), f"--a={where}", "--b=B", *words)


def packs(place: Path, count: int, rng: random.Random, found: Findings) -> None:
    import hashlib

    weights = b"GGUF" + bytes(60)
    digest = hashlib.sha256(weights).hexdigest()
    spec = {"name": "m", "backend": "llama_cpp", "files": {"m.gguf": f"sha256:{digest}"}}
    files = {"m.gguf": {"sha256": digest, "size": len(weights)}}
    manifest = {"schema_version": 1, "profiles": {}, "models": {
        "m": {"folder": "m", "spec": spec, "files": files}}}  # fmt: skip
    for number in range(count):
        content = mutated(manifest, rng) if number % 2 else manifest
        file = place / "p.tar"
        with tarfile.open(file, "w") as archive:
            for name, raw in (
                ("manifest.json", json.dumps(content).encode()),
                ("m/m.gguf", weights),
            ):
                info = tarfile.TarInfo(name)
                info.size = len(raw)
                archive.addfile(info, io.BytesIO(raw))
        if not number % 2:
            file.write_bytes(flipped(file.read_bytes(), rng))
        found.command("models", "import", str(file), "--weights", "weights")
        found.command("models", "list", "--weights", "weights")


def ggufs(place: Path, count: int, rng: random.Random, found: Findings) -> None:
    from visdiff_local.errors import OutOfMemoryError, WeightsError
    from visdiff_local.models.backends.llama import header, probe
    from visdiff_local.models.paths import BUNDLED

    sound = next((BUNDLED / "nano-llama").glob("*.gguf")).read_bytes()
    head = sound.find(b"token_embd.weight") + 2000

    def opened() -> str:
        file = place / "m.gguf"
        content = flipped(sound[:head], rng)
        # As long as before, so that the data still lie where the header says.
        file.write_bytes((content + bytes(head))[:head] + sound[head:])
        try:
            header.check(file)
        except WeightsError:
            return "header refused"
        try:
            probe.open_elsewhere(file)
        except (WeightsError, OutOfMemoryError):
            return "ended a child"
        return "opened, or refused by the library"

    for number in range(count):
        found.case(opened, f"GGUF {number}")


def templates(place: Path, count: int, rng: random.Random, found: Findings) -> None:
    from visdiff_local.models.backends.templates import Bounded, RefusedTemplateError

    def rendered() -> str:
        source = "".join(rng.choice(TEMPLATE_PARTS) for _ in range(rng.randint(1, 6)))
        if rng.random() < 0.3:
            source = flipped(source.encode(), rng).decode("utf-8", "replace")
        try:
            Bounded(source).render(messages=[{"role": "user", "content": "a dog"}] * 3)
        except RefusedTemplateError:
            return "refused"
        return "rendered"

    for number in range(count):
        found.case(rendered, f"template {number}")


def runs(place: Path, count: int, rng: random.Random, found: Findings) -> None:
    known = sorted((ROOT / "tests" / "data").glob("run_of_version_1_*.json"))
    sound = [json.loads(path.read_text(encoding="utf-8")) for path in known]
    folder = place / "out"
    folder.mkdir()
    for number in range(count):
        raw = json.dumps(mutated(rng.choice(sound), rng)).encode()
        (folder / "run.json").write_bytes(raw if number % 5 else flipped(raw, rng))
        flags = rng.choice(([], ["--no-images"], ["--no-paths"]))
        found.command("report", "out", *flags)


def requests(place: Path, count: int, rng: random.Random, found: Findings) -> None:
    from serve_under_attack import hostile

    from visdiff_local.serve import messages

    kinds = (messages.ChatRequest, messages.CompletionRequest, messages.EmbeddingRequest)

    def parsed() -> str:
        _, body = hostile(rng)
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        try:
            asked = messages.parse(rng.choice(kinds), raw)
            getattr(asked, "wish", None)
        except messages.RefusedError:
            return "refused"
        return "taken"

    for number in range(count):
        found.case(parsed, f"request {number}")


def files(place: Path, count: int, rng: random.Random, found: Findings) -> None:
    for number in range(24):
        path = place / "good" / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(_sound.png(number))
    found.command("run", "good", "good/[0-4].png", *_sound.FAKE[:-1], "out-run")
    rows = "".join(f"good/{n}.png,{'AB'[n % 2]}\n" for n in range(24))
    (place / "t.csv").write_text("path,group_name\n" + rows)
    compare = ("compare", "t.csv", "--by", "group_name", "--profile", "fake", "--quiet")
    found.command(*compare, "--out", "out-compared")
    kinds = _sound.files(place / "out-run", place / "out-compared")
    for _ in range(count):
        name, content, words = rng.choice(kinds)
        file = place / name
        before = file.read_bytes() if file.exists() else None
        file.write_bytes(flipped(content, rng))
        found.command(*words)
        file.unlink()
        if before is not None:
            file.write_bytes(before)


KINDS = {f.__name__: f for f in (images, tables, packs, ggufs, templates, runs, requests, files)}


def one_kind(kind: str, count: int, seed: int) -> int:
    """In a process of its own: what was found, as JSON on stdout."""
    with tempfile.TemporaryDirectory() as outer:
        place = Path(outer) / "inside"
        place.mkdir()
        (place / "models.toml").write_text(FAKE_MODELS)
        os.environ |= {
            "VISDIFF_STORE": str(place / "store"), "XDG_CACHE_HOME": str(place / "cache"),
            "VISDIFF_MODELS": str(place / "models.toml"), "HOME": str(place / "home"),
        }  # fmt: skip
        os.environ.pop("VISDIFF_TRACEBACK", None)
        os.chdir(place)
        found = Findings()
        began = time.monotonic()
        KINDS[kind](place, count, random.Random(seed), found)
        outside = sorted(path.name for path in Path(outer).iterdir() if path.name != "inside")
        known = {"store", "cache", "models.toml", "out", "weights", "good", "home"}
        known |= {"out-run", "out-compared"}
        inputs = (
            ".npy",
            ".toml",
            ".json",
            ".png",
            ".csv",
            ".tsv",
            ".parquet",
            ".txt",
            ".jsonl",
            ".tar",
            ".gguf",
        )
        outside += sorted(
            path.name
            for path in place.iterdir()
            if path.name not in known and path.suffix not in inputs
            and not path.name.startswith("mutated")
        )  # fmt: skip
        peak = max(
            resource.getrusage(who).ru_maxrss
            for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        )
    found.failures += [f"written outside: {name}" for name in outside]
    if peak << 10 > MOST_BYTES:
        found.failures.append(f"a process had {peak >> 10} MiB")
    told = {"outcomes": found.outcomes, "failures": found.failures, "peak": peak >> 10}
    print(json.dumps({**told, "seconds": round(time.monotonic() - began)}))
    return 0


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--share", type=float, default=1.0)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--only", choices=sorted(KINDS))
    options.add_argument("--count", type=int, help="with --only, in a process of its own")
    chosen = options.parse_args()
    if chosen.only and chosen.count is not None:
        return one_kind(chosen.only, chosen.count, chosen.seed)
    failures = 0
    for kind, whole in COUNTS.items():
        if chosen.only not in (None, kind):
            continue
        count = max(1, round(whole * chosen.share))
        words = ["--only", kind, "--count", str(count), "--seed", str(chosen.seed)]
        done = subprocess.run(
            [sys.executable, __file__, *words], stdout=subprocess.PIPE, text=True, check=False
        )
        if done.returncode != 0:
            print(f"{kind}: the process ended with {done.returncode}")
            failures += 1
            continue
        told = json.loads(done.stdout.splitlines()[-1])
        failures += len(told["failures"])
        print(f"{count} {kind}: {told['outcomes']}, {told['seconds']} s, {told['peak']} MiB")
        for failure in told["failures"][:20]:
            print(f"  {failure}")
    print(f"{failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
