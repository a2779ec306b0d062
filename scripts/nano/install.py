"""Puts a trained folder in the place of a bundled model, and its checksums into models.toml.

python -m scripts.nano.install OUT nano-clip
"""

import argparse
import re
import shutil
from hashlib import sha256
from pathlib import Path

from visdiff_local.models.paths import BUNDLED
from visdiff_local.models.specs import bundled_models_toml


def install(trained: Path, name: str, bundled: Path, models_toml: Path) -> list[str]:
    """Copies the files that the bundled model has; returns the names of those that changed.

    Raises:
        FileNotFoundError: the trained folder lacks one of them, and nothing was copied.
        ValueError: models.toml names no checksum for one of them.
    """
    files = sorted(path.name for path in (bundled / name).iterdir())
    missing = [file for file in files if not (trained / file).is_file()]
    if missing:
        raise FileNotFoundError(f"{trained} has no {', '.join(missing)}; let the training finish")
    text = models_toml.read_text(encoding="utf-8")
    changed = []
    for file in files:
        digest = sha256((trained / file).read_bytes()).hexdigest()
        pattern = re.compile(
            rf'(^\[models\.{re.escape(name)}\.files\]\n(?:".*\n)*?"{re.escape(file)}" = "sha256:)'
            r"([0-9a-f]{64})",
            re.MULTILINE,
        )
        found = pattern.search(text)
        if found is None:
            raise ValueError(f"{models_toml} names no checksum of {file} of {name}")
        if found[2] != digest:
            changed.append(file)
            text = text[: found.start(2)] + digest + text[found.end(2) :]
    for file in changed:
        shutil.copyfile(trained / file, bundled / name / file)
    models_toml.write_text(text, encoding="utf-8")
    return changed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("trained", type=Path, help="what a training wrote")
    parser.add_argument("name", help="of the bundled model")
    options = parser.parse_args()
    changed = install(options.trained, options.name, BUNDLED, bundled_models_toml())
    print(f"{options.name}: {', '.join(changed) or 'nothing'} changed")


if __name__ == "__main__":
    main()
