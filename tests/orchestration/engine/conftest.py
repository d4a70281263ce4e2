"""The team that every engine test works with."""

from pathlib import Path

import pytest

from tests.orchestration import runs
from tests.orchestration.runs import Team


@pytest.fixture
def team(tmp_path: Path) -> Team:
    return runs.make_team(tmp_path)
