"""A team with a repository-less project, each of them at the API."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.api.people import Caller, with_token
from tests.factories import UserFactory
from tests.orchestration import runs
from tests.orchestration.runs import Team


@pytest.fixture
def team(db: None, tmp_path: Path) -> Team:
    return runs.make_team(tmp_path)


@pytest.fixture
def ada(team: Team) -> Caller:
    """Launches."""
    return with_token(team.ada)


@pytest.fixture
def grace(team: Team) -> Caller:
    """Decides."""
    return with_token(team.grace, may_approve=True)


@pytest.fixture
def linus(team: Team) -> Caller:
    """May only look."""
    return with_token(team.linus)


@pytest.fixture
def stranger(db: None) -> Caller:
    """Belongs to no project."""
    return with_token(UserFactory(), may_approve=True)
