"""The ledger: what was finished is not run again."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visdiff_local.bench.ledger import Ledger, key_of
from visdiff_local.errors import StoreError


def test_a_ledger_keeps_what_was_added(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "ledger.jsonl"
    Ledger(path).add("k", {"x": [1, "é"]})
    Ledger(path).add("l", {"x": 2})
    assert Ledger(path).get("k") == {"x": [1, "é"]}
    assert Ledger(path).get("l") == {"x": 2}
    assert Ledger(path).get("m") is None


@given(cut=st.integers(1, 60))
def test_a_line_cut_off_costs_one_trial(cut: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("ledger") / "ledger.jsonl"
    ledger = Ledger(path)
    ledger.add("first", {"x": 1})
    whole = path.stat().st_size
    ledger.add("second", {"text": "y" * 60})
    path.write_bytes(path.read_bytes()[: whole + cut])
    again = Ledger(path)
    assert again.get("first") == {"x": 1}
    assert again.get("second") is None
    again.add("third", {"x": 3})
    assert Ledger(path).get("third") == {"x": 3}
    assert Ledger(path).get("first") == {"x": 1}


def test_a_ledger_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be kept"):
        Ledger(tmp_path / "file" / "ledger.jsonl").add("k", {})


def test_keys_do_not_depend_on_order() -> None:
    assert key_of({"a": 1, "b": [1, 2]}) == key_of({"b": [1, 2], "a": 1})
    assert key_of({"a": 1}) != key_of({"a": 2})
