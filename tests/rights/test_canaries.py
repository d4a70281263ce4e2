"""Twenty secrets, said by steps in every way they could be, and then looked for everywhere that anybody reads."""

from __future__ import annotations

import base64
import io
import json
import logging
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.apps import apps
from django.core.management import call_command
from django.core.serializers.json import DjangoJSONEncoder
from django.test import Client

from orchestration.agent_hosting import host_for
from orchestration.engine import deciding
from orchestration.models import Artifact, WorkflowRun
from orchestration.worker import begin, perform
from policy import secrets
from policy.actors import Actor
from policy.models import Secret
from tests.api.people import with_token
from tests.orchestration import runs
from tests.orchestration.repositories_of_tests import git, make_repository
from tests.orchestration.runs import Team
from tests.workbench import pages
from tests.workbench.sockets import Socket, play

pytestmark = pytest.mark.django_db(transaction=True)
SHAPES = (
    "tok-{n:02d}-4e7a9b2c-canary", "pa ss/w&rd+%{n:02d}\"quoted'\\back", "Zürich-密-{n:02d}-geheim",
    "{n:02d}deadbeefcafef00d",
    "-----BEGIN KEY-----\nMIIEvgIBADANBgkqhkiG9w0B{n:02d}\nq7Yx2LmCanaryKeyLine{n:02d}==\n-----END KEY-----",
)  # fmt: skip
CANARIES = {f"CANARY_{n:02d}": SHAPES[n % len(SHAPES)].format(n=n) for n in range(20)}
SHOUT = """
import base64, json, os, sys, urllib.parse
values = [os.environ[f"CANARY_{n:02d}"] for n in range(20)]
forms = [str, urllib.parse.quote, lambda v: v.encode().hex(), json.dumps]
forms += [lambda v, pad=pad: base64.b64encode(b"x" * pad + v.encode()).decode() for pad in range(3)]
for value in values:
    for form in forms:
        print("out", form(value), flush=True)
        print("err", form(value), file=sys.stderr, flush=True)
first = values[0]
open("told.txt", "w").write(chr(10).join(values))
with open(os.environ["CCDASH_OUTPUT"], "a") as file:
    print(f"said={first} and {first.encode().hex()}", file=file)
for name in (first, first.encode().hex()):
    open(f"left-{name}.txt", "w").write(f"inside {values[5]}")
if "fail" in sys.argv:
    raise RuntimeError(f"it broke with {first}")
"""


def spellings(value: str) -> Iterator[str]:
    yield value
    yield json.dumps(value)[1:-1]
    yield json.dumps(value, ensure_ascii=False)[1:-1]
    yield quote(value, safe="")
    yield value.encode().hex()
    for pad in range(3):
        encoded = base64.b64encode(b"x" * pad + value.encode()).decode()
        yield encoded[4 : len(encoded) - 4]
    yield from (line for line in value.splitlines() if len(line) > 20)


NEEDLES = sorted({(name, needle) for name, value in CANARIES.items() for needle in spellings(value)})


def found_in(text: str) -> set[str]:
    flat = "".join(text.split())
    return {f"{name} as {needle}" for name, needle in NEEDLES if "".join(needle.split()) in flat}


@pytest.fixture
def team(tmp_path: Path, settings: Any) -> Team:
    for name in ("DATA_DIR", "WORKTREES_DIR", "SPOOL_DIR", "ARTIFACTS_DIR"):
        setattr(settings, name, tmp_path / name.lower())
    settings.DATA_DIR.mkdir()
    repository = make_repository(tmp_path / "repository")
    (repository / "shout.py").write_text(SHOUT)
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", "Shout")
    made = runs.make_team(repository)
    for name, value in CANARIES.items():
        secrets.set_secret(made.project, name, value, by=Actor.for_shell())
    return made


def work(team: Team, run: WorkflowRun) -> WorkflowRun:
    for _ in range(10):
        assignment = begin(run.pk, owner=runs.OWNER)
        while assignment is not None:
            following = perform(assignment, host_for(assignment, runs.OWNER))
            assignment = following or begin(run.pk, owner=runs.OWNER)
        waiting = [key for key, state in runs.states(run).items() if state == "awaiting_approval"]
        if not waiting:
            break
        for key in waiting:
            approval = runs.step_of(run, key).approval
            assert approval is not None
            deciding.decide_approval(
                run.pk, key, decision="approve", reason="A drill.", digest=approval.digest, by=team.actor("grace")
            )
    run.refresh_from_db()
    return run


def shouted(team: Team) -> WorkflowRun:
    names = list(CANARIES)
    command = {"secrets": names, "artifacts": [{"name": "left", "path": "left-*"}], "outputs": ["said"]}
    steps = {
        "shout": {**command, "command": "python3 shout.py"},
        "ask": {
            "type": "sdk", "provider": "simulated", "tools": ["read_file"],
            "prompt": "Do it.\n!tool read_file {\"path\": \"told.txt\"}\n!say Done.",
        },
        "fail": {**command, "command": "python3 shout.py fail", "outputs": []},
    }  # fmt: skip
    return work(team, runs.launch(team, "shout >> ask >> fail", steps))


def everything_stored() -> str:
    """Every row of ours, but for the ciphertext itself."""
    kept = []
    for app in ("policy", "orchestration"):
        for model in apps.get_app_config(app).get_models():
            rows = model._default_manager.all()
            for row in (rows.defer("ciphertext") if model is Secret else rows).values():
                row.pop("ciphertext", None)
                row.pop("key", None) if model.__name__ == "ProviderSettings" else None
                kept.append(json.dumps(row, cls=DjangoJSONEncoder, ensure_ascii=False, default=str))
    return "\n".join(kept)


def everything_shown(team: Team, run: WorkflowRun) -> dict[str, str]:
    browser, api = pages.signed_in(team.grace), with_token(team.grace)
    base = f"/workflow-runs/{run.pk}"
    shown = {"page": pages.url(run), "report": pages.url(run, "report/"), "plan": pages.url(run, "plan.yaml")}
    for key in ("shout", "ask", "fail"):
        for panel in ("log", "io", "agent", "diff", "artifacts", "approval", "attempts", "history", "definition"):
            shown[f"{key} {panel}"] = f"{pages.url(run)}?step={key}&panel={panel}"
        shown[f"{key} lines"] = pages.url(run, f"steps/{key}/log/lines/?from=1")
        shown[f"{key} raw"] = pages.url(run, f"steps/{key}/log/raw/")
    for one in Artifact.objects.filter(run=run):
        shown[f"artifact {one.pk}"] = pages.url(run, f"artifacts/{one.pk}/")
    for form in ("json", "md"):
        shown[f"report {form}"] = pages.url(run, f"report.{form}")
    texts = {name: read(browser, address) for name, address in shown.items()}
    texts["archive"] = unpacked(b"".join(browser.get(pages.url(run, "report.zip"))))
    for path in (
        base,
        f"{base}/events",
        f"{base}/artifacts",
        f"{base}/report",
        f"{base}/steps/shout/log",
        "/approvals",
    ):
        texts[path] = read(api.client, "/api/execution" + path, headers=api.headers)
    return texts


def read(client: Client, address: str, **more: Any) -> str:
    answer = client.get(address, **more)
    assert answer.status_code in (200, 404), address
    content = b"".join(answer) if answer.streaming else answer.content
    return content.decode()


def unpacked(content: bytes) -> str:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = [name for name in archive.namelist() if name.endswith((".json", ".md", ".html", ".txt"))]
        return "\n".join([*archive.namelist(), *(archive.read(name).decode("utf-8", "replace") for name in names)])


def test_no_canary_is_found_where_anybody_reads(team: Team, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    run = shouted(team)
    assert runs.states(run) == {"shout": "succeeded", "ask": "succeeded", "fail": "failed"}
    call_command("export_audit", str(tmp_path / "audit.jsonl"), stdout=io.StringIO())
    places = {
        **everything_shown(team, run),
        "stored": everything_stored(),
        "audit": (tmp_path / "audit.jsonl").read_text(),
        "server log": caplog.text,
        "socket": spoken(team, run),
    }
    assert "[redacted:CANARY_00]" in places["stored"]
    assert "[redacted:CANARY_19]" in places["shout raw"]
    leaks = {name: found_in(text) for name, text in places.items()}
    assert sorted(name for name, found in leaks.items() if found) == []


def spoken(team: Team, run: WorkflowRun) -> str:
    heard: list[str] = []

    async def story() -> None:
        async with Socket(f"/ws/workflow-runs/{run.pk}/?after=0&step=fail&panel=log", team.linus) as socket:
            await socket.say(json.dumps({"asked": "?step=fail&panel=log", "line": 1}))
            await socket.until(lambda seen: run.last_sequence_no in seen.events)
            heard.append(socket.all_html)

    play(story)
    return heard[0]
