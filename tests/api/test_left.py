"""What a run leaves: output, artifacts, reports."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from orchestration import logs, reports
from orchestration.api import answers, artifact_answers, report_answers
from orchestration.artifacts import ArtifactStore
from orchestration.models import Artifact, Document, ExecutionRun, WorkflowRun
from orchestration.reading import finding
from tests.api.people import Caller, problem_of
from tests.orchestration import runs
from tests.orchestration.runs import Team

GATE = {"gate": {"type": "approval"}}
KEPT = {"name": "result", "path": "out/result.html"}
EVIL = "<script>alert(1)</script> [click](javascript:alert(1)) | `x` \u202e"


class Plain:
    """Redacts nothing."""

    pending = 0

    def feed(self, data: bytes) -> bytes:
        return data

    def flush(self) -> bytes:
        return b""


def say(attempt: ExecutionRun, stream: str, text: str, offset: int) -> None:
    writer = logs.LogWriter(attempt.pk, attempt.owner, Plain, size=attempt.log_size, lines=attempt.log_lines)
    writer.write(stream, text.encode(), offset)


def keep(run: WorkflowRun, key: str, data: bytes, **columns: Any) -> Artifact:
    stored = ArtifactStore(Path(settings.ARTIFACTS_DIR)).put(data)
    step = runs.step_of(run, key)
    return Artifact.objects.create(
        run=run, step_run=step, attempt=step.attempts.get(), sha256=stored.sha256, size=stored.size, kind="file",
        created_at=timezone.now(), lineage={"commit": "abc"}, **(KEPT | columns),
    )  # fmt: skip


@pytest.fixture
def run(team: Team) -> WorkflowRun:
    return runs.settle(runs.launch(team, "first >> gate >> last", GATE))


def test_output_is_read_on_from_where_one_was(team: Team, linus: Caller) -> None:
    run = runs.launch(team, "a")
    runs.start(run, "a")
    path = f"/workflow-runs/{run.pk}/steps/a/log"
    assert linus.get(path).json() == {"items": [], "next_after": 0}
    attempt = ExecutionRun.objects.get()
    say(attempt, "stdout", "one\n", 4)
    first = linus.get(path).json()
    assert [(part["stream"], part["text"], part["offset"], part["attempt"]) for part in first["items"]] == [
        ("stdout", "one\n", 0, 1)
    ]
    attempt.refresh_from_db()
    say(attempt, "stderr", "two\n", 8)
    later = linus.get(path, after=first["next_after"]).json()
    assert [part["text"] for part in later["items"]] == ["two\n"]
    assert linus.get(path, stream="stdout").json()["items"] == first["items"]
    assert linus.get(path, after=later["next_after"]).json()["next_after"] == later["next_after"]
    answers.Log.model_validate(later)


def test_one_answer_never_holds_more_output_than_fits(
    team: Team, linus: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "ANSWER_BYTES", 10)
    run = runs.launch(team, "a")
    runs.start(run, "a")
    for number in range(3):
        say(ExecutionRun.objects.get(), "stdout", f"{number}line\n", 6 * (number + 1))
    path = f"/workflow-runs/{run.pk}/steps/a/log"
    first = linus.get(path).json()
    rest = linus.get(path, after=first["next_after"]).json()
    assert [[part["text"] for part in part["items"]] for part in (first, rest)] == [["0line\n", "1line\n"], ["2line\n"]]


def test_what_an_agent_says_is_output_too(team: Team, linus: Caller) -> None:
    run = runs.launch(team, "a", {"a": {"type": "sdk", "provider": "simulated", "prompt": "Do it."}})
    runs.start(run, "a")
    say(ExecutionRun.objects.get(), "agent", "I look.\n", 8)
    told = linus.get(f"/workflow-runs/{run.pk}/steps/a/log", stream="agent").json()
    assert [(part["stream"], part["text"]) for part in told["items"]] == [("agent", "I look.\n")]
    answers.Log.model_validate(told)


def test_artifacts_are_told_with_where_they_come_from(linus: Caller, run: WorkflowRun) -> None:
    kept = keep(run, "first", b"hello")
    listed = linus.get(f"/workflow-runs/{run.pk}/artifacts").json()
    told = linus.get(f"/artifacts/{kept.pk}").json()
    assert listed == {"items": [told], "next_cursor": None}
    assert told["sha256"] == hashlib.sha256(b"hello").hexdigest()
    assert (told["size"], told["step_key"], told["run_id"], told["attempt"]) == (5, "first", str(run.pk), 1)
    assert told["lineage"]["commit"] == "abc"
    assert (told["lineage"]["feature"], told["lineage"]["run_number"]) == (run.feature.slug, run.number)
    artifact_answers.Artifact.model_validate(told)


def test_lineage_can_be_walked_both_ways_past_a_decision(team: Team, linus: Caller, run: WorkflowRun) -> None:
    before = keep(run, "first", b"hello")
    runs.decide(team, run, "gate")
    runs.settle(run)
    after = keep(run, "last", b"world")
    Document.objects.create(feature=run.feature, path="docs/plan.md", title="Plan", digest="d" * 64)
    told = {item["id"]: item["lineage"] for item in linus.get(f"/workflow-runs/{run.pk}/artifacts").json()["items"]}
    assert [one["id"] for one in told[str(after.pk)]["made_from"]] == [str(before.pk)]
    assert [one["id"] for one in told[str(before.pk)]["used_by"]] == [str(after.pk)]
    assert told[str(before.pk)]["made_from"] == told[str(after.pk)]["used_by"] == []
    assert [one["path"] for one in told[str(after.pk)]["documents"]] == ["docs/plan.md"]


def test_content_is_a_download_that_no_browser_runs(linus: Caller, run: WorkflowRun) -> None:
    data = b"<script>alert(1)</script>" * 40_000
    kept = keep(run, "first", data, path='out/a"b\r\n\u202e.html')
    answer = linus.get(f"/artifacts/{kept.pk}/content")
    assert b"".join(answer.streaming_content) == data  # type: ignore[attr-defined]
    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["Content-Disposition"] == 'attachment; filename="a\\"b.html"'
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Security-Policy"].startswith("sandbox")
    assert answer["Content-Length"] == str(len(data))


@pytest.mark.parametrize("harm", ["gone", "changed"])
def test_content_that_is_not_what_was_stored_is_not_handed_out(linus: Caller, run: WorkflowRun, harm: str) -> None:
    kept = keep(run, "first", b"the truth" + harm.encode())
    file = ArtifactStore(Path(settings.ARTIFACTS_DIR)).path(kept.sha256)
    file.chmod(0o600)
    file.unlink() if harm == "gone" else file.write_bytes(b"a lie")
    assert problem_of(linus.get(f"/artifacts/{kept.pk}/content"), 410)["code"] == "content_gone"


def test_a_stranger_gets_no_artifact(stranger: Caller, run: WorkflowRun) -> None:
    kept = keep(run, "first", b"secret")
    for path in ("", "/content"):
        foreign = problem_of(stranger.get(f"/artifacts/{kept.pk}{path}"), 404)
        assert foreign == problem_of(stranger.get(f"/artifacts/{run.pk}{path}"), 404)


def test_a_report_tells_what_ran_who_decided_and_what_was_left(
    team: Team, grace: Caller, linus: Caller, run: WorkflowRun
) -> None:
    kept = keep(run, "first", b"hello")
    approval = runs.step_of(run, "gate").approval
    assert approval is not None
    body = {"step_key": "gate", "decision": "approve", "reason": "Fine by me.", "digest": approval.digest}
    grace.post(f"/workflow-runs/{run.pk}/approve", body)
    runs.settle(run)
    told = linus.get(f"/workflow-runs/{run.pk}/report").json()
    report_answers.Report.model_validate(told)
    assert (told["run"]["state"], [step["state"] for step in told["steps"]]) == ("succeeded", ["succeeded"] * 3)
    decision = told["decisions"][0]
    assert (decision["by"], decision["digest"], decision["reason"], decision["step_key"]) == (
        team.grace.get_username(), approval.digest, "Fine by me.", "gate",
    )  # fmt: skip
    assert [attempt["outcome"] for attempt in told["steps"][0]["attempts"]] == ["succeeded"]
    assert told["artifacts"][0]["sha256"] == kept.sha256
    on_record = [action["audit_sequence"] for action in told["actions"]]
    assert (told["audit"]["first"], told["audit"]["last"]) == (on_record[0], on_record[-1])
    assert told["events"]["last"] == told["run"]["last_sequence_no"]


@pytest.mark.parametrize("form", ["json", "md", "html"])
def test_a_report_is_the_same_bytes_until_something_happens(linus: Caller, run: WorkflowRun, form: str) -> None:
    first = linus.get(f"/workflow-runs/{run.pk}/report", format=form)
    assert first.content == linus.get(f"/workflow-runs/{run.pk}/report", format=form).content
    found = finding.find_run(runs_actor(run), str(run.pk))
    assert first.content == reports.written(reports.report_of(found), form)
    assert first["Content-Type"].startswith(
        {"json": "application/json", "md": "text/markdown", "html": "text/html"}[form]
    )


def runs_actor(run: WorkflowRun) -> Any:
    from policy.actors import Actor

    return Actor.for_command(run.created_by)


def test_a_report_obeys_no_text_that_it_quotes(team: Team, linus: Caller) -> None:
    workflow = runs.launch(team, "a", {"a": {"name": EVIL.strip()[:60]}}, name="A | plan <b>x</b>")
    runs.settle(workflow)
    page = linus.get(f"/workflow-runs/{workflow.pk}/report", format="html").content.decode()
    assert "<script" not in page
    assert "<b>x" not in page
    assert 'href="javascript' not in page
    text = linus.get(f"/workflow-runs/{workflow.pk}/report", format="md").content.decode()
    assert "\u202e" not in text
    assert text.startswith("# Run [#")


def test_a_replaced_step_stays_in_the_report(team: Team, ada: Caller) -> None:
    run = runs.launch(team, "a >> b")
    ada.post(f"/workflow-runs/{run.pk}/replan", {"steps": runs.make_plan(team, "a >> c")["steps"], "reason": "x"})
    told = ada.get(f"/workflow-runs/{run.pk}/report").json()
    assert "b" in [step["key"] for step in told["superseded_steps"]]
    assert json.dumps(told)
