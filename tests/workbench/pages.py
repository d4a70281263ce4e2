"""Run pages for tests: who is signed in, where the page of a run is, and what stands on it."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

from django.contrib.auth.models import User
from django.test import Client

from orchestration import logs
from orchestration.models import WorkflowRun
from policy.actors import mark_signed_in
from tests.orchestration import runs
from tests.orchestration.runs import Team

HTMX = {"HTTP_HX_REQUEST": "true"}


def signed_in(user: User, *, recently: bool = True) -> Client:
    client = Client()
    client.force_login(user)
    if recently:
        session = client.session
        mark_signed_in(session)
        session.save()
    return client


def url(run: WorkflowRun, rest: str = "") -> str:
    return f"/projects/{run.project.slug}/runs/{run.number}/{rest}"


def text_of(answer: Any) -> str:
    """What a reader sees: text without markup, spaces as one."""
    reader = _Text()
    reader.feed(answer.content.decode())
    return " ".join(" ".join(reader.parts).split())


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []

    def handle_data(self, data: str) -> None:
        self.parts.append(data)


def say(run: WorkflowRun, key: str, text: str, *, stream: str = "stdout") -> None:
    """Output of the running attempt of a step, as the worker writes it."""
    attempt = runs.step_of(run, key).execution_run
    assert attempt is not None
    writer = logs.LogWriter(
        attempt.pk,
        runs.OWNER,
        make_redactor=_Plain,
        size=attempt.log_size,
        lines=attempt.log_lines,
        state=attempt.log_state,
    )
    writer.write(stream, text.encode(), len(text))
    writer.finish()


class _Plain:
    pending = 0

    def feed(self, data: bytes) -> bytes:
        return data

    def flush(self) -> bytes:
        return b""


def blocked(team: Team, **gate: Any) -> WorkflowRun:
    """A run whose first step is done and whose second waits for a decision."""
    return runs.settle(runs.launch(team, "build >> gate >> ship", {"gate": {"type": "approval", **gate}}))
