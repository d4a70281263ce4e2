"""What a provider goes on with while nobody listens: asked about, taken up, stopped or kept as evidence."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from pytest_django import Settings

from orchestration import provider_settings, reconciliation
from orchestration.agent_hosting import AgentHost
from orchestration.api import answers
from orchestration.engine import controlling, reconciling, starting
from orchestration.engine.image import images
from orchestration.models import ExecutionRun, WorkflowRun
from orchestration.pool import Pool
from orchestration.reconciliation import Reconciliation, Standing
from orchestration.worker import perform
from policy.actors import Actor
from policy.models import AuditRecord
from tests.api.people import problem_of, with_token
from tests.factories import UserFactory
from tests.orchestration import runs
from tests.orchestration.providers.plays import FakeOpenAI, say
from tests.orchestration.runs import Team
from tests.workbench.pages import signed_in, text_of, url

pytestmark = pytest.mark.django_db
KEY = "sk-test-0123456789abcdef"


@pytest.fixture
def team(tmp_path: Path, settings: Settings) -> Team:
    for name in ("DATA_DIR", "SPOOL_DIR", "ARTIFACTS_DIR", "WORKTREES_DIR"):
        setattr(settings, name, tmp_path / "data" / name.lower())
    (tmp_path / "work").mkdir()
    settings.DATA_DIR.mkdir(parents=True)
    made = runs.make_team(tmp_path / "work")
    made.project.memberships.filter(user=made.grace).update(role="admin")
    return made


@pytest.fixture
def server(team: Team) -> Iterator[FakeOpenAI]:
    with FakeOpenAI([say("All the words of the answer.")]) as ready:
        reach(team, ready.url)
        yield ready


def reach(team: Team, url: str) -> None:
    provider_settings.set_provider(team.project, "openai", by=team.actor("grace"), base_url=url, model="m", key=KEY)


def launch(team: Team, **more: Any) -> WorkflowRun:
    step = {"type": "sdk", "provider": "openai", "prompt": "Do it.", "effects": "once", **more}
    return runs.launch(team, "a", {"a": step})


class Mortal(AgentHost):
    """Its worker breaks while the answer is streamed."""

    def log(self, stream: str, data: bytes, spool_offset: int) -> None:
        raise RuntimeError


def work(run: WorkflowRun, host: type[AgentHost] = AgentHost) -> WorkflowRun:
    images.take(run.pk)
    while (assignment := starting.start_step(run.pk, owner="one")) is not None:
        perform(assignment, host(assignment, "one"))
    run.refresh_from_db()
    return run


def look(run: WorkflowRun) -> ExecutionRun:
    reconciliation.look_at_run(run.pk, by=Actor.for_command(run.created_by))
    return newest(run)


def newest(run: WorkflowRun) -> ExecutionRun:
    return ExecutionRun.objects.filter(run=run).order_by("-token")[0]


def asked_for(server: FakeOpenAI) -> int:
    return sum(1 for asked in server.asked if (asked.method, asked.path) == ("POST", "/v1/responses"))


def told(run: WorkflowRun) -> list[dict[str, Any]]:
    return list(run.events.filter(type="attempt.reconciled").order_by("sequence_no").values_list("data", flat=True))


def test_an_attempt_that_ends_before_its_answer_is_out_of_step_until_it_was_asked_about(
    team: Team, server: FakeOpenAI
) -> None:
    run = work(launch(team), Mortal)
    assert runs.states(run) == {"a": "interrupted"}
    attempt = newest(run)
    assert (attempt.sync_status, attempt.extension["open_response"]) == ("stale", "resp_1")
    server.polls_left = 1
    assert look(run).sync_status == "stale"
    attempt = look(run)
    assert (attempt.sync_status, attempt.sync_error) == ("in_sync", "")
    assert attempt.last_reconciled_at is not None


def test_somebody_asks_the_provider_on_the_page_and_that_is_audited(team: Team, server: FakeOpenAI) -> None:
    run = work(launch(team), Mortal)
    assert "Ask the provider" not in text_of(signed_in(team.linus).get(url(run), {"step": "a", "panel": "attempts"}))
    client = signed_in(team.ada)
    for panel in ("agent", "attempts"):
        shown = client.get(url(run), {"step": "a", "panel": panel})
        assert "Out of step with the provider" in text_of(shown)
        assert url(run, f"reconciliation/?step=a&amp;panel={panel}") in shown.content.decode()
    answer = client.post(url(run, "reconciliation/?step=a&panel=attempts"))
    assert (answer.status_code, answer["Location"]) == (303, url(run, "?step=a&panel=attempts"))
    after = text_of(client.get(answer["Location"]))
    assert "The provider was asked." in after
    assert "In sync with the provider" in after
    assert "Ask the provider" not in after
    asked = AuditRecord.objects.get(action="run.reconcile_asked")
    assert (asked.actor, asked.run) == (team.ada.username, str(run.pk))


def test_a_late_answer_is_evidence_and_changes_nothing(team: Team, server: FakeOpenAI) -> None:
    run = work(launch(team), Mortal)
    found = look(run).extension["at_provider"]
    assert (found["status"], found["text"]) == ("completed", "All the words of the answer.")
    assert (found["usage"]["input_tokens"], found["was_stopped"]) == (100, False)
    run.refresh_from_db()
    assert (run.state, run.input_tokens, runs.states(run)) == ("paused", 0, {"a": "interrupted"})
    assert [(data["sync_status"], data["at_provider"]) for data in told(run)] == [("in_sync", "completed")]
    assert server.canceled == []


@pytest.mark.parametrize("looked", [False, True])
def test_a_resumed_step_looks_at_the_provider_before_it_asks_again(
    team: Team, server: FakeOpenAI, looked: bool
) -> None:
    run = work(launch(team), Mortal)
    if looked:
        look(run)
    controlling.resume_run(run.pk, reason="Go on.", by=team.actor("ada"))
    assert work(run).state == "succeeded"
    assert asked_for(server) == 1
    assert runs.step_of(run, "a").outputs["text"] == "All the words of the answer."
    assert (run.input_tokens, newest(run).usage["known"]) == (100, True)
    assert reconciling.of_run(run.pk) == []


def test_an_answer_that_is_gone_is_asked_for_anew(team: Team, server: FakeOpenAI) -> None:
    run = work(launch(team), Mortal)
    server.forgets = True
    assert look(run).extension["at_provider"]["status"] == "unknown"
    controlling.resume_run(run.pk, reason="Go on.", by=team.actor("ada"))
    assert work(run).state == "succeeded"
    assert (asked_for(server), newest(run).usage["known"]) == (2, False)


def test_what_still_works_for_a_canceled_run_is_stopped_at_the_provider(team: Team, server: FakeOpenAI) -> None:
    run = work(launch(team), Mortal)
    controlling.cancel_run(run.pk, reason="Enough.", by=team.actor("ada"))
    run.refresh_from_db()
    last = run.last_sequence_no
    server.polls_left = 1
    attempt = look(run)
    assert server.canceled == ["resp_1"]
    assert (attempt.sync_status, attempt.extension["at_provider"]["was_stopped"]) == ("in_sync", True)
    assert AuditRecord.objects.filter(action="attempt.stopped_at_provider").count() == 1
    run.refresh_from_db()
    assert (run.state, run.last_sequence_no) == ("canceled", last)


def test_an_answer_that_a_new_attempt_took_up_is_left_to_it(team: Team, server: FakeOpenAI) -> None:
    run = work(launch(team), Mortal)
    controlling.resume_run(run.pk, reason="Go on.", by=team.actor("ada"))
    work(run, Mortal)
    assert [(owed.number, owed.is_wanted) for owed in reconciling.of_run(run.pk)] == [(2, True)]
    server.polls_left = 2
    look(run)
    assert (server.canceled, asked_for(server)) == ([], 1)


def test_a_provider_that_cannot_be_asked_is_an_error_with_a_sentence_and_no_key(team: Team, server: FakeOpenAI) -> None:
    run = work(launch(team), Mortal)
    reach(team, "http://127.0.0.1:9/v1")
    attempt = look(run)
    assert (attempt.sync_status, attempt.sync_error) == ("error", "The provider could not be reached.")
    reach(team, server.url)
    assert look(run).sync_status == "in_sync"
    assert [data["sync_status"] for data in told(run)] == ["error", "in_sync"]


def test_a_silent_stream_of_an_answer_that_is_done_is_out_of_step(team: Team, server: FakeOpenAI) -> None:
    run = launch(team)
    assignment = starting.start_step(run.pk, owner="one")
    assert assignment is not None
    open_handle(AgentHost(assignment, "one"))
    server.responses["resp_1"] = {"id": "resp_1", "status": "in_progress", "output": [], "object": "response"}
    assert look(run).sync_status == "in_sync"
    server.responses["resp_1"]["status"] = "completed"
    assert look(run).sync_status == "stale"
    AgentHost(assignment, "one").save_handle({"phase": "asking"})
    assert newest(run).sync_status == "in_sync"


def test_the_heart_of_a_worker_tells_its_agent_to_look(team: Team, server: FakeOpenAI) -> None:
    pool = Pool(1)
    assignment = starting.start_step(launch(team).pk, owner=pool.owner)
    assert assignment is not None
    host = pool._hosts[assignment.attempt_id] = AgentHost(assignment, pool.owner)
    pool._beat()
    assert host.control() == "none"
    ExecutionRun.objects.update(sync_status="stale")
    pool._beat()
    assert [host.control(), host.control()] == ["look", "none"]


def open_handle(host: AgentHost) -> None:
    answer = {"provider": "openai", "response_id": "resp_1", "background": True}
    host.save_handle({"turn": 1, "asks": 0, "phase": "streaming", "provider_handle": answer})


def test_the_sweep_asks_once_a_minute_and_leaves_alone_who_does_not_answer(team: Team, server: FakeOpenAI) -> None:
    run = work(launch(team), Mortal)
    reach(team, "http://127.0.0.1:9/v1")
    sweeper = Reconciliation()
    step_until(sweeper, lambda: newest(run).sync_status == "error")
    place = (team.project.pk, "openai")
    assert sweeper.places[place].failures == 1
    reach(team, server.url)
    long_ago(run)
    sweeper.step()
    assert not sweeper.places[place].is_busy
    sweeper.places[place].not_before = 0.0
    step_until(sweeper, lambda: newest(run).sync_status == "in_sync")
    assert sweeper.places[place].failures == 0
    assert reconciling.due() == []


def long_ago(run: WorkflowRun) -> None:
    attempt = newest(run)
    assert attempt.last_reconciled_at is not None
    before = attempt.last_reconciled_at - timedelta(minutes=5)
    ExecutionRun.objects.filter(pk=attempt.pk).update(last_reconciled_at=before)


def step_until(sweeper: Reconciliation, done: Any) -> None:
    until = time.monotonic() + 20
    while not done():
        sweeper.step()
        assert time.monotonic() < until
        time.sleep(0.02)


def test_pauses_grow_with_each_failure_and_are_bounded() -> None:
    from orchestration.providers.base import ProviderError

    standing, pauses = Standing(), []
    for _ in range(12):
        standing.heard(ProviderError("server", "Down."))
        pauses.append(round(standing.not_before - time.monotonic()))
    assert pauses[:4] == [15, 30, 60, 120]
    assert max(pauses) == 900
    standing.heard(ProviderError("rate_limit", "Slow down.", retry_after=86_400))
    assert standing.not_before - time.monotonic() < 901


# how people see it


def test_the_api_asks_and_shows_how_the_step_stands(team: Team, server: FakeOpenAI) -> None:
    run = work(launch(team), Mortal)
    assert step_told(with_token(team.linus).get(f"/workflow-runs/{run.pk}"))["sync_status"] == "stale"
    answer = with_token(team.ada).post(f"/runs/{run.pk}/reconcile")
    assert answer.status_code == 200
    step = step_told(answer)
    assert (step["sync_status"], step["sync_error"]) == ("in_sync", "")
    assert step["last_reconciled_at"].endswith("Z")
    assert step_told(with_token(team.ada).post(f"/workflow-runs/{run.pk}/reconcile", {})) == step


def test_who_only_looks_may_not_have_providers_asked(team: Team, server: FakeOpenAI) -> None:
    run = work(launch(team), Mortal)
    before = len(server.asked)
    problem_of(with_token(team.linus).post(f"/workflow-runs/{run.pk}/reconcile"), 403)
    problem_of(with_token(UserFactory()).post(f"/runs/{run.pk}/reconcile"), 404)
    problem_of(with_token(team.ada).post(f"/workflow-runs/{run.pk}/reconcile", {"reason": 1}), 422)
    assert len(server.asked) == before


def test_a_repeat_with_one_key_gets_the_first_answer(team: Team, server: FakeOpenAI) -> None:
    run = work(launch(team), Mortal)
    ada = with_token(team.ada)
    first = ada.post(f"/runs/{run.pk}/reconcile", Idempotency_Key="k")
    assert ada.post(f"/runs/{run.pk}/reconcile", Idempotency_Key="k").json() == first.json()


def test_a_step_without_an_agent_stands_to_nobody(team: Team) -> None:
    run = runs.settle(runs.launch(team, "a"))
    step = step_told(with_token(team.linus).get(f"/workflow-runs/{run.pk}"))
    assert (step["sync_status"], step["last_reconciled_at"]) == (None, None)


def test_the_run_page_shows_a_late_answer_as_evidence_and_as_text(team: Team, server: FakeOpenAI) -> None:
    server.turns = [say("<b>All</b> the words.")]
    run = work(launch(team), Mortal)
    look(run)
    page = signed_in(team.linus).get(url(run, "?step=a&panel=attempts"))
    assert "In sync with the provider" in text_of(page)
    assert "&lt;b&gt;All&lt;/b&gt; the words." in page.content.decode()
    events = text_of(signed_in(team.linus).get(url(run, "?tab=events")))
    assert "its provider was asked how it stands: completed" in events


def test_the_command_asks_and_says_how_each_answer_stands(team: Team, server: FakeOpenAI) -> None:
    run = work(launch(team), Mortal)
    out = io.StringIO()
    call_command("reconcile", "--json", stdout=out)
    [line] = json.loads(out.getvalue())["providers"]
    assert (line["run"], line["step_key"], line["sync_status"]) == (str(run.pk), "a", "in_sync")
    assert line["last_reconciled_at"]


def step_told(answer: Any) -> dict[str, Any]:
    told = answer.json()
    answers.Run.model_validate(told)
    [step] = told["steps"]
    return dict(step)
