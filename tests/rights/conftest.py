"""The world that all tables are tried in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.rights.world import World, make_world


@pytest.fixture
def world(db: None, tmp_path: Path, settings: Any) -> World:
    settings.DATA_DIR = tmp_path / "data"
    settings.ARTIFACTS_DIR, settings.SPOOL_DIR = settings.DATA_DIR / "artifacts", settings.DATA_DIR / "spool"
    settings.ARTIFACTS_DIR.mkdir(parents=True)
    return make_world(tmp_path)
