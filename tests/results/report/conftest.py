"""The example's run, drawn once."""

import pytest

from tests.support import report_example
from tests.support.drawn_report import Drawn


@pytest.fixture(scope="module")
def drawn() -> Drawn:
    return report_example.example()
