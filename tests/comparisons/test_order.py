"""Groups come in the order that their names tell, and it is said where they tell none."""

import random

import pytest

from visdiff_local.comparisons.order import ordered
from visdiff_local.errors import InputError

TOLD = [
    ["2", "10", "30"],
    ["-1.5", "0.25", "0.5", "1e2"],
    ["-5 °C", "0 °C", "12 °C"],
    ["2023", "2024-01", "2024-02", "2024-10", "2024-10-03"],
    ["2024-01-31", "2024-02-01", "2024-12-01"],
    ["2024-01-01T09:30", "2024-01-01T10:00", "2024-01-02"],
    ["2024/1", "2024/2", "2024/11"],
    ["2023-Q4", "2024-Q1", "2024-Q2"],
    ["Q4 2023", "Q1 2024"],
    ["January", "February", "March", "September", "December"],
    ["Jan", "Feb", "Mar", "Aug", "Sept", "Oct"],
    ["Dec 2023", "Jan 2024", "February 2024"],
    ["2023 December", "2024 January"],
    ["5 March 2024", "12 March 2024", "1 April 2024"],
    ["Monday", "Tuesday", "Sunday"],
    ["spring", "summer", "fall", "winter"],
    ["31.12.2023", "01.01.2024", "02.01.2024"],
    ["28/02/2024", "01/03/2024"],
    ["month 1", "month 2", "month 12"],
    ["v1.2", "v1.9", "v1.10"],
    ["1.2.9", "1.2.10"],
    ["18-25", "26-40", "65+"],
    ["a", "b", "c"],
]


@pytest.mark.parametrize("values", TOLD, ids=lambda values: values[0])
def test_the_order_that_names_tell_is_found_however_they_come(values: list[str]) -> None:
    for seed in range(5):
        shuffled = random.Random(seed).sample(values, len(values))
        assert ordered(shuffled) == (values, True)


@pytest.mark.parametrize("values", [["low", "medium", "high"], ["before", "after"]])
def test_where_names_tell_no_order_it_is_said(values: list[str]) -> None:
    assert ordered(values) == (sorted(values), False)


def test_dates_in_which_day_and_month_cannot_be_told_apart_are_refused() -> None:
    with pytest.raises(InputError, match="2024-12-31"):
        ordered(["03/04/2024", "05/06/2024"])
