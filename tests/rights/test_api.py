"""Every operation of the API by everybody, with a token and with a session, against the table."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from ccdash.api import api
from tests.rights import doors
from tests.rights.table import NONE, OPERATIONS, SIGNED, Door, expected
from tests.rights.world import EVERYBODY, OTHER, World, names_of

pytestmark = pytest.mark.django_db
NOWHERE = "00000000-0000-0000-0000-00000000dead"
Operation = tuple[str, str, str]


def operations() -> list[Operation]:
    """Name, method and path of each, as the document tells them."""
    paths = api.get_openapi_schema()["paths"]
    return [(told["operationId"], method, path) for path, each in paths.items() for method, told in each.items()]


def ask(client: Client, method: str, path: str, body: Any, headers: dict[str, str]) -> HttpResponse:
    with doors.undone():
        if method == "get":
            return client.get(path, {"action": "cancel"}, headers=headers)
        return client.post(path, json.dumps(body), "application/json", headers=headers)


def filled(path: str, door: Door, names: dict[str, Any]) -> str:
    return path.format(**{**names, **{part: names[name] for part, name in door.at.items()}})


def test_every_operation_is_in_the_table_and_no_other() -> None:
    assert {name for name, _, _ in operations()} == set(OPERATIONS)
    for name, method, _ in operations():
        door = OPERATIONS[name]
        assert (door.post if method == "post" else door.get) != NONE, name


@pytest.mark.parametrize("way", ["token", "session"])
def test_everybody_gets_where_the_table_says_and_no_further(world: World, way: str) -> None:
    names, wrong = names_of(world), {}
    for name, method, path in operations():
        door = OPERATIONS[name]
        need = door.post if method == "post" else door.get
        for who in EVERYBODY:
            client = Client() if way == "token" else world.at_browser(who)
            headers = world.headers(who) if way == "token" else {}
            body = doors.filled(door.body, names)
            word = doors.word_of(ask(client, method, filled(path, door, names), body, headers))
            if word != expected(need, who):
                wrong[name, who] = f"{word}, not {expected(need, who)}"
    assert wrong == {}


def test_unknown_and_foreign_things_look_alike(world: World) -> None:
    names, differing = names_of(world), {}
    nowhere = {**names, **dict.fromkeys(("run_id", "waiting_run", "single", "workflow_id", "artifact_id"), NOWHERE)}
    nowhere |= {"slug": "no-such-project", "feature": "no-such-feature", "step_key": "ghost"}
    for name, method, path in operations():
        door = OPERATIONS[name]
        if method == "get" and "{" not in path:
            continue
        foreign, unknown = (
            ask(Client(), method, filled(path, door, named), doors.filled(door.body, named), world.headers(OTHER))
            for named in (names, nowhere)
        )
        asked = [*names.values(), *nowhere.values()]
        is_hidden = foreign.status_code == 404 or door.post == SIGNED
        if not is_hidden or doors.shape_of(foreign, asked) != doors.shape_of(unknown, asked):
            differing[name] = (foreign.content, unknown.content)
    assert differing == {}


def test_lists_hold_nothing_of_other_projects(world: World) -> None:
    hidden = [world.team.project.slug, str(world.run.pk), str(world.waiting.pk), str(world.run.workflow_id)]
    for name, method, path in operations():
        if method != "get" or "{" in path:
            continue
        told = ask(Client(), method, path, None, world.headers(OTHER)).content.decode()
        assert not [one for one in hidden if one in told], name
        if name not in ("list_providers", "list_features"):
            filtered = Client().get(path, {"project": world.team.project.slug}, headers=world.headers(OTHER))
            assert not [one for one in hidden if one in filtered.content.decode()] or filtered.status_code == 422, name
