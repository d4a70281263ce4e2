"""Every management command on behalf of everybody, against the table."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command, get_commands, load_command_class

from tests.rights import doors
from tests.rights.table import COMMANDS, FORBIDDEN, IN, NOT_FOUND, OF_THE_OWNER, SIGN_IN, expected
from tests.rights.world import DEACTIVATED, OTHER, ROLES, World, names_of

pytestmark = pytest.mark.django_db
OURS = ("policy", "orchestration", "ccdash", "workbench")
# What a refusal says, by what it means
SAID = {
    "no active person": SIGN_IN,
    "that you can see": NOT_FOUND,
    "There is no such": NOT_FOUND,
    "nothing here that you may see": NOT_FOUND,
    "Your role in this project does not allow this": FORBIDDEN,
    "You are not among those who may decide this": FORBIDDEN,
}


@pytest.fixture
def names(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    named = {**names_of(world), "folder": str(tmp_path), "somebody": world.people[OTHER].username}
    steps = [{"key": "a", "type": "command", "command": "true"}]
    plan = {"name": "Plan", "project": named["slug"], "feature": named["feature"], "steps": steps}
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    return named


def ended(name: str, arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a-value-for-tests")))
    try:
        with doors.undone():
            call_command(name, *arguments, stdout=io.StringIO(), stderr=io.StringIO())
    except CommandError as refusal:
        return next((word for said, word in SAID.items() if said in str(refusal)), f"in: {refusal}")
    return IN


def test_every_command_is_in_the_table_and_no_other() -> None:
    ours = {name for name, app in get_commands().items() if app in OURS}
    assert ours == {*COMMANDS, *OF_THE_OWNER}


def test_everybody_may_by_command_what_they_may_on_a_page(
    world: World, names: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = {}
    for name, (need, given) in COMMANDS.items():
        for who in (DEACTIVATED, OTHER, *ROLES):
            arguments = [*doors.filled(list(given), names), "--user", world.people[who].username]
            word = ended(name, arguments, monkeypatch)
            if word.partition(":")[0] != expected(need, who):
                wrong[name, who] = f"{word}, not {expected(need, who)}"
    assert wrong == {}


def test_what_the_owner_alone_does_acts_for_nobody_else(world: World) -> None:
    """Those that take a name ask for a superuser's."""
    by_name = {name for name in OF_THE_OWNER if _takes_a_name(name)}
    assert by_name == {"create_api_token", "create_project", "create_user"}


def _takes_a_name(name: str) -> bool:
    parser = load_command_class(get_commands()[name], name).create_parser("manage.py", name)
    return "--user" in parser.format_help()
