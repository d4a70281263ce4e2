"""The rules of the house that a reader can't see at a glance: where imports may point, how large a file may grow."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import call_command

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("ccdash", "workbench", "orchestration", "policy")
VAGUE_NAMES = {"util", "utils", "helper", "helpers", "common", "misc", "service", "services"}
SIGNALS = re.compile(
    r"django\.db\.models\.signals|django\.core\.signals|django_fsm\.signals|^@receiver\b", re.MULTILINE
)
STATE_BY_UPDATE = re.compile(r"\.update\([^)]*\bstate=")
HOME_FOLDER = re.compile(r"/(home|Users)/[a-z][\w.-]+/|/root/\w")

pytestmark = pytest.mark.pure


def _tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *patterns],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    return [file for name in listed.split("\0") if name and (file := ROOT / name).is_file()]


def _product() -> list[Path]:
    return _tracked(*(f"{package}/**.py" for package in PACKAGES))


def _names(files: list[Path]) -> list[str]:
    return [str(file.relative_to(ROOT)) for file in files]


def _matching(files: list[Path], pattern: re.Pattern[str]) -> list[str]:
    return _names([file for file in files if pattern.search(file.read_text())])


def test_imports_point_down() -> None:
    lint = [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"]
    done = subprocess.run([*lint, "--no-cache", "--no-logo"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_file_is_longer_than_four_hundred_lines() -> None:
    files = [file for file in _tracked("*.py") if "migrations" not in file.parts]
    assert [name for name in _names(files) if len((ROOT / name).read_text().splitlines()) > 400] == []


def test_every_file_is_named_for_what_it_is() -> None:
    files = _tracked("*.py")
    assert _names([file for file in files if {file.stem, file.parent.name} & VAGUE_NAMES]) == []


def test_nothing_happens_by_signal() -> None:
    assert _matching(_product(), SIGNALS) == []


def test_only_the_engine_writes_a_state_past_its_model() -> None:
    engine = ROOT / "orchestration" / "engine"
    assert _matching([file for file in _product() if engine not in file.parents], STATE_BY_UPDATE) == []


def test_no_file_knows_the_machine_it_was_written_on() -> None:
    examples = [ROOT / "tests" / "policy", ROOT / "tests" / "test_architecture.py", ROOT / "static" / "vendor"]
    files = _tracked("*.py", "*.md", "*.toml", "*.html", "*.js", "*.css", "*.yaml", "*.yml", "*.txt", "script", ".ci")
    mine = [file for file in files if not any(file.is_relative_to(example) for example in examples)]
    assert _matching(mine, HOME_FOLDER) == []


def test_the_lock_files_leave_the_index_to_whoever_installs() -> None:
    assert _matching(_tracked("requirements*.txt"), re.compile(r"://|index-url")) == []


@pytest.mark.django_db
def test_every_model_has_its_migration() -> None:
    call_command("makemigrations", "policy", "orchestration", check=True, dry_run=True, verbosity=1)
