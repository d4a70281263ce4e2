"""Every page there is, by everybody there is, against the table."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.http import HttpResponse
from django.urls import NoReverseMatch, URLPattern, URLResolver, get_resolver, reverse

from policy.models import Membership
from tests.rights import doors
from tests.rights.table import FORBIDDEN, NONE, PAGES, PUBLIC, SIGN_IN, Door, expected
from tests.rights.world import ADMIN, EVERYBODY, OTHER, STRANGER, World, names_of
from workbench.views.run_actions import DEEDS

pytestmark = pytest.mark.django_db
PARTS = re.compile(r"<(?:\w+:)?(\w+)>|\(\?P<(\w+)>")
# These lead to the doors that everybody uses; the last one catches what is nowhere.
NOT_OF_THE_ADMINISTRATION = ("admin/login/", "admin/password_change/", "admin/logout/", "admin/(?P<url>")
NOWHERE = {
    "slug": "no-such-project", "feature": "no-such-feature", "number": 9999, "pk": 999_999, "key": "ghost",
    "name": "ghost", "start": 998, "end": 999, "uuid": "00000000-0000-0000-0000-00000000dead",
}  # fmt: skip


def walk(resolver: Any, before: str = "") -> Iterator[tuple[str, URLPattern]]:
    for entry in resolver.url_patterns:
        if isinstance(entry, URLResolver):
            yield from walk(entry, before + str(entry.pattern))
        else:
            yield before + str(entry.pattern), entry


def pages() -> dict[str, str]:
    """The name and the pattern of each; the API and the administration have tests of their own."""
    ours = [
        (route, entry) for route, entry in walk(get_resolver()) if not route.startswith(("admin/", "api/execution/"))
    ]
    docs = [(route, entry) for route, entry in walk(get_resolver()) if route == "api/execution/docs"]
    return {entry.name or route.partition(".")[0]: route for route, entry in [*ours, *docs]}


def address(
    name: str, route: str, door: Door, names: dict[str, Any], other: dict[str, Any] | None = None
) -> Iterator[str]:
    wanted = [one or two for one, two in PARTS.findall(route)]
    values = {part: (other or {}).get(part, names.get(door.at.get(part, part))) for part in wanted}
    if "action" in wanted:
        yield from (reverse(name, kwargs={**values, "action": action}) + "?step_key=after" for action in DEEDS)
    elif name == "favicon":
        yield "/favicon.ico"
    else:
        yield reverse(name, kwargs=values)


def ask(world: World, who: str, method: str, path: str, door: Door, names: dict[str, Any]) -> HttpResponse:
    client = world.at_browser(who)
    cookies = client.cookies.copy()
    try:
        with doors.undone():
            if method == "GET":
                return client.get(path)
            return client.post(path, doors.filled(door.body, names))
    finally:
        client.cookies = cookies


def test_every_page_is_in_the_table_and_no_other() -> None:
    assert set(pages()) == set(PAGES)


def test_everybody_gets_where_the_table_says_and_no_further(world: World) -> None:
    names, found, wanted = names_of(world), {}, {}
    for name, route in pages().items():
        door = PAGES[name]
        for method, need in (("GET", door.get), ("POST", door.post)):
            for path in address(name, route, door, names):
                for who in EVERYBODY if need != NONE else (OTHER, "admin"):
                    found[name, path, method, who] = doors.word_of(ask(world, who, method, path, door, names))
                    wanted[name, path, method, who] = expected(door.need(method, path), who)
    assert _differing(found, wanted) == {}
    assert len(found) > 500


def _differing(found: dict[Any, str], wanted: dict[Any, str]) -> dict[Any, str]:
    return {at: f"{word}, not {wanted[at]}" for at, word in found.items() if word != wanted[at]}


def test_unknown_and_foreign_things_look_alike(world: World) -> None:
    names, differing = names_of(world), {}
    asked = [*names.values(), *NOWHERE.values()]
    for name, route in pages().items():
        door = PAGES[name]
        for method, need in (("GET", door.get), ("POST", door.post)):
            if need in (NONE, PUBLIC) or "<" not in route:
                continue
            foreign = [ask(world, OTHER, method, path, door, names) for path in address(name, route, door, names)]
            unknown = [
                ask(world, OTHER, method, path, door, names)
                for path in address(name, route, door, names, _unknown(route, names))
            ]
            for one, two in zip(foreign, unknown, strict=True):
                if doors.shape_of(one, asked) != doors.shape_of(two, asked) or one.status_code != 404:
                    differing[name, method] = (one.status_code, two.status_code)
    assert not differing


def _unknown(route: str, names: dict[str, Any]) -> dict[str, Any]:
    parts = [one or two for one, two in PARTS.findall(route)]
    of_uuid = set(re.findall(r"<uuid:(\w+)>", route))
    return {
        part: NOWHERE["uuid"] if part in of_uuid else NOWHERE.get(part, names.get(part))
        for part in parts
        if part not in ("form", "action")
    }


def test_the_id_of_a_foreign_thing_under_the_own_project_finds_nothing(world: World) -> None:
    """As an admin over there, with the address of the own project and the number of a row of this one."""
    names, reached, members = names_of(world), {}, Membership.objects.count()
    own = {
        "slug": world.foreign.project.slug, "feature": world.foreign.feature.slug, "number": world.foreign.number,
        "key": "a", "start": 1, "end": 1,
    }  # fmt: skip
    for name, route in pages().items():
        parts = {one or two for one, two in PARTS.findall(route)}
        if not {"slug"} <= parts or not parts & {"pk", "artifact_id", "approval_id"}:
            continue
        door = PAGES[name]
        for method, need in (("GET", door.get), ("POST", door.post)):
            for path in address(name, route, door, names, own) if need != NONE else ():
                if (word := doors.word_of(ask(world, OTHER, method, path, door, names))) != "not found":
                    reached[name, method] = word
    # Who is no member is removed already, whoever that is.
    assert reached == {("member-removal", "POST"): "in"}
    assert Membership.objects.count() == members


def test_a_role_in_a_project_opens_nothing_in_the_administration(world: World) -> None:
    opened, tried = {}, 0
    for route, entry in walk(get_resolver()):
        if not route.startswith("admin/") or route.startswith(NOT_OF_THE_ADMINISTRATION):
            continue
        path = _admin_path(route, entry)
        for who, wanted in ((STRANGER, SIGN_IN), (OTHER, FORBIDDEN), (ADMIN, FORBIDDEN)):
            answer = world.at_browser(who).get(path)
            if answer.get("Location", "").startswith("/admin/login/"):
                answer = world.at_browser(who).get(answer["Location"])
            tried += 1
            if (word := doors.word_of(answer)) != wanted:
                opened[path, who] = word
    assert opened == {}
    assert tried > 250


def _admin_path(route: str, entry: URLPattern) -> str:
    if route.startswith("admin/^"):
        return "/admin/policy/"
    try:
        values = {"format": "csv"} | {one or two: 1 for one, two in PARTS.findall(route) if (one or two) != "format"}
        path: str = reverse(f"admin:{entry.name}", kwargs={k: v for k, v in values.items() if f"{k}>" in route})
    except NoReverseMatch:
        path = "/" + re.sub(r"<[^>]*>", "1", route)
    return path
