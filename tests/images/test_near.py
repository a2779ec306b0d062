"""Near-duplicates: groups that brute force finds too."""

import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from tests.support.pictures import read
from visdiff_local.images import (
    ImageSet,
    near_groups,
)


def _brute_force(hashes: dict[str, int], distance: int) -> set[tuple[str, ...]]:
    names = sorted(hashes)
    group = {name: {name} for name in names}
    for one in names:
        for other in names:
            if (hashes[one] ^ hashes[other]).bit_count() <= distance:
                merged = group[one] | group[other]
                for name in merged:
                    group[name] = merged
    return {tuple(sorted(members)) for members in group.values() if len(members) > 1}


@given(
    st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=8),
    st.lists(st.tuples(st.integers(0, 7), st.sets(st.integers(0, 63), max_size=7)), max_size=30),
    st.integers(0, 8),
)
def test_near_groups_are_those_of_brute_force(
    centres: list[int], variants: list[tuple[int, set[int]]], distance: int
) -> None:
    values = list(centres)
    for number, bits in variants:
        values.append(centres[number % len(centres)] ^ sum(1 << bit for bit in bits))
    hashes = {str(number): value for number, value in enumerate(values)}
    assert set(near_groups(hashes, distance=distance)) == _brute_force(hashes, distance)


def test_near_groups_find_scaled_and_recompressed_copies_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    rng = np.random.default_rng(5)
    for number in range(20):
        image = Image.new("RGB", (128, 128), tuple(rng.integers(0, 256, 3).tolist()))
        draw = ImageDraw.Draw(image)
        for _ in range(12):
            x, y = rng.integers(0, 100, 2).tolist()
            draw.rectangle((x, y, x + 40, y + 30), fill=tuple(rng.integers(0, 256, 3).tolist()))
        image.save(tmp_path / "a" / f"{number}.png")
        if number < 3:
            image.resize((96, 96)).save(tmp_path / "a" / f"{number}-copy.jpg", quality=70)
    found = read(ImageSet.from_folder(tmp_path / "a"))
    names = {ref.id: Path(ref.name).stem.split("-")[0] for ref in found.images.images}
    hashes = zip(found.images.images, found.facts.phash.tolist(), strict=True)
    groups = near_groups({ref.id: phash for ref, phash in hashes})
    assert sorted(sorted({names[id_] for id_ in group}) for group in groups) == [
        ["0"],
        ["1"],
        ["2"],
    ]


def test_near_groups_of_many_are_quick() -> None:
    code = """
        import time, numpy as np
        from visdiff_local.images import near_groups
        values = np.random.default_rng(0).integers(0, 2**64, 50_000, dtype=np.uint64)
        values[::100] = 0
        hashes = {str(n): int(v) for n, v in enumerate(values)}
        began = time.process_time()
        groups = near_groups(hashes)
        print(len(groups), time.process_time() - began)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True
    )
    count, seconds = done.stdout.split()
    assert int(count) == 1
    assert float(seconds) < 10
