"""A project that requires a sandbox: its code runs in one or is refused before it starts; what runs no code goes on."""

from __future__ import annotations

from pathlib import Path
from subprocess import CalledProcessError
from typing import Any

import pytest

from orchestration import worker
from orchestration.agent_hosting import AgentHost
from orchestration.engine import starting
from orchestration.executors.base import ToolCall
from orchestration.hosting import AttemptHost
from orchestration.models import Artifact, Event, ExecutionRun, WorkflowRun
from policy import projects, secrets
from policy.actors import Actor
from policy.models import AuditRecord, Project
from tests.factories import member
from tests.orchestration import runs
from tests.orchestration.repositories_of_tests import git, make_repository
from tests.orchestration.runs import Team
from tests.workbench.pages import text_of
from tests.workbench.visitors import visitor

pytestmark = pytest.mark.django_db
Settings = Any


@pytest.fixture
def team(tmp_path: Path, settings: Settings) -> Team:
    for name in ("worktrees", "spool", "artifacts"):
        setattr(settings, f"{name.upper()}_DIR", tmp_path / name)
    return runs.make_team(make_repository(tmp_path / "repository"), sandbox_required=True)


@pytest.fixture
def no_bubblewrap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestration.executors.sandbox.detect", lambda: "")


def work(run: WorkflowRun) -> WorkflowRun:
    while (assignment := worker.begin(run.pk, owner=runs.OWNER)) is not None:
        worker.perform(assignment, AttemptHost(assignment, runs.OWNER), wants_next=lambda: False)
    run.refresh_from_db()
    return run


def require(team: Team, required: bool) -> None:
    projects.change(team.project, by=Actor.for_shell(), sandbox_required=required)


CODE: dict[str, dict[str, Any]] = {
    "command": {"command": "echo harmless"},
    "check": {"type": "validation", "checks": [{"kind": "command", "command": "true"}]},
    "agent": {"type": "sdk", "provider": "simulated", "prompt": "Do.", "tools": ["run_command"]},
}


@pytest.mark.parametrize("kind", CODE)
@pytest.mark.usefixtures("no_bubblewrap")
def test_code_is_refused_before_it_starts_where_the_sandbox_is_missing(team: Team, kind: str) -> None:
    run = work(runs.launch(team, "build", {"build": CODE[kind]}))

    step = runs.step_of(run, "build")
    assert (step.state, step.state_reason) == ("failed", "policy_denied")
    assert "does not work on this machine" in step.error
    assert step.verdict["reasons"][0]["rule"] == "sandboxed-or-not-at-all"
    assert not ExecutionRun.objects.filter(run=run).exists()
    assert AuditRecord.objects.filter(action="step.denied", run=str(run.pk)).exists()


@pytest.mark.usefixtures("no_bubblewrap")
def test_what_runs_no_code_goes_on_without_it(team: Team) -> None:
    looks = {"type": "validation", "checks": [{"kind": "file", "path": "readme.txt"}]}
    run = work(runs.launch(team, "look >> ask", {"look": looks, "ask": {"type": "approval"}}))

    assert runs.states(run) == {"look": "succeeded", "ask": "awaiting_approval"}
    assert ExecutionRun.objects.get(run=run).sandbox == ""


@pytest.mark.usefixtures("no_bubblewrap")
def test_the_reason_stands_in_the_api_and_on_the_page_before_and_after(team: Team, settings: Settings) -> None:
    settings.EMBEDDED = True
    client = visitor(team.ada)
    plan = runs.make_plan(team, "build")
    answer = client.post("/api/execution/workflows/validate", plan, content_type="application/json").json()
    run = runs.launch(team, "build")

    assert "sandboxed-or-not-at-all" in str(answer)
    page = text_of(client.get(f"/projects/{team.project.slug}/runs/{run.number}/?step=build&panel=policy"))
    assert "the sandbox that it has to run in does not work on this machine" in page


@pytest.mark.usefixtures("no_bubblewrap")
def test_a_web_server_without_workers_leaves_the_question_to_the_worker(team: Team, settings: Settings) -> None:
    settings.EMBEDDED = False
    run = runs.launch(team, "build")
    assert runs.states(run) == {"build": "ready"}

    assert starting.start_step(run.pk, owner=runs.OWNER) is None
    assert runs.step_of(run, "build").state_reason == "policy_denied"


def run_script(team: Team, script: str, **more: Any) -> WorkflowRun:
    """Code of the repository's own, which no reader of commands sees."""
    repository = Path(team.project.path)
    (repository / "test.sh").write_text(script)
    (repository / "Makefile").write_text("test:\n\tbash test.sh\n")
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "Tests")
    return work(runs.launch(team, "test", {"test": {"command": "make test", **more}}))


@pytest.mark.sandbox
def test_commands_and_checks_run_in_it_and_attempts_say_so(team: Team) -> None:
    checks = {"type": "validation", "checks": [{"kind": "command", "command": "make test"}]}
    run_script(team, "grep -q bwrap /proc/1/cmdline")
    run = work(runs.launch(team, "build >> check", {"build": {"command": "make test"}, "check": checks}))

    assert runs.states(run) == {"build": "succeeded", "check": "succeeded"}
    assert set(ExecutionRun.objects.filter(run=run).values_list("sandbox", flat=True)) == {"bubblewrap"}
    client = visitor(team.linus)
    page = text_of(client.get(f"/projects/{team.project.slug}/runs/{run.number}/?step=build&panel=policy"))
    assert "Its code ran in bubblewrap" in page
    assert "Sandbox bubblewrap" in page


@pytest.mark.sandbox
def test_what_is_committed_inside_reaches_the_runs_branch(team: Team) -> None:
    repository = Path(team.project.path)
    run = run_script(team, "echo new > new.txt; git add -A && git commit -qm 'From within' && git log -1 --format=%s")

    assert run.state == "succeeded"
    assert "From within" in git(repository, "log", "--format=%s", run.branch)
    assert git(repository, "show", f"{run.branch}:new.txt") == "new"
    assert git(repository, "fsck", "--connectivity-only", "--no-dangling") == ""


@pytest.mark.sandbox
def test_what_is_only_staged_leaves_a_repository_that_can_be_tidied_up(team: Team) -> None:
    script = (
        "echo a > a.txt; git add -A; git commit -qm One; git commit -q --amend -m Two; echo b > b.txt; git add b.txt"
    )
    run = run_script(team, script)
    repository = Path(team.project.path)

    assert git(repository, "gc", "--quiet", "--prune=now") == ""
    assert git(repository, "fsck", "--no-dangling") == ""
    assert git(Path(run.workspace_path), "status", "--porcelain") == "A  b.txt"


@pytest.mark.sandbox
def test_objects_of_another_repository_do_not_come_in_by_a_commit(team: Team, tmp_path: Path) -> None:
    other = make_repository(tmp_path / "other", private="not for you\n")
    blob = git(other, "rev-parse", "HEAD:private.txt")
    objects = other / ".git/objects"
    script = f"""
new=$(git rev-parse --git-dir)/new-objects
mkdir -p $new/{blob[:2]} && ln -s {objects}/{blob[:2]}/{blob[2:]} $new/{blob[:2]}/{blob[2:]}
echo {objects} >> $new/info/alternates
tree=$(printf '100644 blob {blob}\\tstolen.txt\\n' | git mktree --missing)
git update-ref --no-deref HEAD $(git commit-tree $tree -p HEAD -m Stolen) && echo done > done.txt
"""
    run = run_script(team, script)

    repository = Path(team.project.path)
    assert git(repository, "show", f"{run.branch}:done.txt") == "done"
    assert "Stolen" not in git(repository, "log", "--format=%s", run.branch)
    with pytest.raises(CalledProcessError):
        git(repository, "cat-file", "-e", blob)


def test_a_head_that_names_nothing_does_not_cost_what_the_step_did(tmp_path: Path, team: Team) -> None:
    require(team, False)
    run = run_script(team, f"echo kept > kept.txt; echo {'1' * 40} > $(git rev-parse --git-dir)/HEAD")

    assert run.state == "succeeded"
    assert git(Path(team.project.path), "show", f"{run.branch}:kept.txt") == "kept"


@pytest.mark.parametrize("made", ["mkfifo", "ln -s /dev/zero", "mkdir"])
def test_a_head_that_is_no_file_holds_nobody_up(team: Team, made: str) -> None:
    require(team, False)
    run = run_script(team, f"head=$(git rev-parse --git-dir)/HEAD; rm $head; {made} $head")

    assert run.state == "failed"
    assert "worktree" in runs.step_of(run, "test").error


def test_a_decision_made_for_one_boundary_is_none_for_another(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestration.executors.sandbox.detect", lambda: "/usr/bin/bwrap")
    run = runs.settle(runs.launch(team, "push", {"push": {"command": "git push origin main"}}))
    require(team, False)
    runs.decide(team, run, "push")

    assert runs.start(run) is None
    lapsed = Event.objects.get(run=run, type="approval.lapsed")
    assert {"path": "sandbox", "before": "bubblewrap", "after": "none"} in lapsed.data["changed"]
    assert runs.states(run) == {"push": "awaiting_approval"}


def test_an_agent_that_began_without_a_sandbox_runs_no_command_once_it_is_required(team: Team) -> None:
    require(team, False)
    run = runs.launch(team, "agent", {"agent": CODE["agent"]})
    assignment = runs.start(run)
    assert assignment is not None
    host = AgentHost(assignment, runs.OWNER)
    assert host.permit(ToolCall("run_command", {"command": "echo hello"}, "call-1")).kind == "allowed"
    require(team, True)

    permission = host.permit(ToolCall("run_command", {"command": "echo hello"}, "call-2"))

    assert (permission.kind, "requires a sandbox" in permission.reason) == ("refused", True)


def test_a_network_grant_asks_is_shown_and_is_part_of_the_decision(team: Team) -> None:
    require(team, False)
    run = runs.launch(team, "fetch", {"fetch": {"command": "echo harmless", "network": True}})

    step = runs.step_of(run, "fetch")
    assert (step.state, step.risk) == ("awaiting_approval", "high")
    assert step.approval is not None
    assert step.approval.facts["step"]["network"] is True
    assert "network_granted" in [reason["code"] for reason in step.verdict["reasons"]]
    page = text_of(
        visitor(team.grace).get(f"/projects/{team.project.slug}/runs/{run.number}/?step=fetch&panel=approval")
    )
    assert "Its code reaches the network" in page
    assert "no sandbox, as the account of the server" in page


def test_an_admin_requires_it_on_the_projects_page_and_it_is_audited(team: Team) -> None:
    require(team, False)
    url = f"/projects/{team.project.slug}/boundary/"
    admin = visitor(member(team.project, "admin"))

    assert visitor(team.ada).post(url, {"sandbox_required": "on"}).status_code == 403
    assert admin.post(url, {"sandbox_required": "on"}).status_code == 303

    team.project.refresh_from_db()
    assert team.project.sandbox_required
    record = AuditRecord.objects.filter(action="project.changed").latest("sequence")
    assert (record.before, record.after) == ({"sandbox_required": False}, {"sandbox_required": True})
    assert "This project requires it." in text_of(admin.get(f"/projects/{team.project.slug}/health/"))


def test_the_next_step_starts_under_the_new_requirement_and_not_under_what_was_remembered(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    require(team, False)
    run = runs.launch(team, "a >> b")
    first = runs.start(run)
    assert first is not None
    require(team, True)
    monkeypatch.setattr("orchestration.executors.sandbox.detect", lambda: "")

    runs.finish(first)

    assert runs.start(run) is None
    assert runs.step_of(run, "b").state_reason == "policy_denied"


def test_a_file_may_be_called_anything_and_is_kept_under_a_name_that_can_be_read(team: Team) -> None:
    """Bytes that are no text, escapes of terminals, names longer than a column."""
    require(team, False)
    long = "/".join(str(number) * 200 for number in range(1, 6))
    made = f'touch "$(printf "a\\nb\\033[31m\\377")" && mkdir -p {long} && touch {long}/x'
    run = run_script(team, f"cd $CCDASH_ARTIFACTS && {made}")

    assert run.state == "succeeded"
    kept = dict(Artifact.objects.filter(run=run).exclude(kind="diff").values_list("name", "path"))
    assert "a\ufffdb\ufffd[31m\ufffd" in kept
    assert sorted(map(len, kept)) == [9, 200]


def test_a_secret_in_the_name_of_a_file_is_blacked_out(team: Team, settings: Settings, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path
    require(team, False)
    secrets.set_secret(team.project, "KEY", "correct-horse-battery", Actor.for_shell())
    run = run_script(team, 'mkdir "$CCDASH_ARTIFACTS/$KEY"; touch "$CCDASH_ARTIFACTS/$KEY/x"', secrets=["KEY"])

    kept = Artifact.objects.get(run=run, kind="file")
    assert (run.state, kept.name, kept.path) == ("succeeded", "[redacted:KEY]/x", "[redacted:KEY]/x")
    events = Event.objects.filter(run=run).values_list("data", flat=True)
    assert "correct-horse" not in str(list(events))


def test_a_command_that_takes_more_memory_than_it_may_fails_alone(team: Team, settings: Settings) -> None:
    require(team, False)
    settings.COMMAND_MEMORY_MB = 300
    run = run_script(team, "python3 -c 'x = bytearray(600 * 1024 * 1024)'")

    assert (run.state, runs.step_of(run, "test").state_reason) == ("failed", "exit")


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux tells how much memory was used")
def test_the_workers_memory_does_not_grow_with_a_gigabyte_in_one_line(team: Team) -> None:
    require(team, False)
    run_script(team, "echo warm")
    Path("/proc/self/clear_refs").write_text("5")  # forget the highest so far
    before = memory("VmHWM")

    run = run_script(team, "head -c 1000000000 /dev/zero | tr '\\0' x; echo again > again.txt")

    assert run.state == "succeeded"
    assert memory("VmHWM") - before < 64 * 1024


def memory(name: str) -> int:
    """In kB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


@pytest.mark.parametrize("trick", ["another folder", "a link to another folder", "nothing"])
def test_a_run_does_not_begin_in_what_took_the_place_of_the_projects_folder(
    team: Team, tmp_path: Path, trick: str
) -> None:
    require(team, False)
    registered = Path(team.project.path)
    identity = {"device": registered.stat().st_dev, "inode": registered.stat().st_ino}
    Project.objects.filter(pk=team.project.pk).update(**identity)
    run = runs.launch(team, "build", {"build": {"command": "echo mine > file.txt"}})
    registered.rename(tmp_path / "moved")
    other = make_repository(tmp_path / "other" if trick != "another folder" else registered)
    if trick == "a link to another folder":
        registered.symlink_to(other)

    work(run)

    step = runs.step_of(run, "build")
    assert (step.state, step.state_reason) == ("failed", "workspace")
    assert "register it again" in step.error or "not there any more" in step.error
    assert not (other / "file.txt").exists()
    assert git(other, "branch", "--list", "ccdash/*") == ""
