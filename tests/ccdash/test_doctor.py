"""The doctor: a line for each part, what to mend, and an exit code that says how bad it is."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection

from ccdash.doctor import machine
from orchestration import audit_delivery
from orchestration.models import ExecutionRun
from policy import audit
from tests.orchestration import runs
from tests.policy.tampering import execute, fill

pytestmark = pytest.mark.django_db
PARTS = {
    "settings", "data folder", "disk", "git", "sandbox", "database", "migrations", "channel layer", "broker",
    "providers", "workers", "boundary", "worktrees", "audit log", "audit delivery",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _own_data_folder(settings: Any, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path / "data"
    settings.DATA_DIR.mkdir(mode=0o700)
    settings.WORKTREES_DIR = settings.DATA_DIR / "worktrees"


def look(*arguments: str) -> tuple[int, list[dict[str, str]]]:
    out, code = io.StringIO(), 0
    try:
        call_command("doctor", "--json", *arguments, stdout=out)
    except SystemExit as end:
        code = int(str(end.code))
    return code, json.loads(out.getvalue())


def status(part: str) -> tuple[str, str]:
    found = next(line for line in look()[1] if line["part"] == part and line["status"] != "ok")
    assert found["mend"]
    return found["status"], found["message"]


def test_every_part_is_looked_at_and_nothing_is_broken() -> None:
    code, found = look()
    assert {line["part"] for line in found} == PARTS
    assert [line for line in found if line["status"] == "fail"] == []
    assert code == 0


def test_a_folder_that_others_can_read(settings: Any) -> None:
    settings.DATA_DIR.chmod(0o755)
    assert status("data folder")[0] == "fail"
    assert look()[0] == 1


def test_a_sandbox_that_is_asked_for_and_does_not_work(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.SANDBOX = "bubblewrap"
    monkeypatch.setattr(machine.bubblewrap, "detect", lambda: "")
    assert status("sandbox")[0] == "fail"


def test_a_disk_that_is_nearly_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "LEAST_BYTES", 2**62)
    assert status("disk")[0] == "fail"


def test_a_git_that_is_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "GIT_WANTED", (99, 0))
    assert status("git")[0] == "fail"


def test_migrations_that_are_missing() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'policy' AND name LIKE '0001%%'", [])
    assert status("migrations") == ("fail", "1 are missing.")


def test_a_database_that_would_not_keep_its_promises() -> None:
    name = "busy_timeout" if connection.vendor == "sqlite" else "lock_timeout"
    change = "PRAGMA busy_timeout = {}" if connection.vendor == "sqlite" else "SET lock_timeout = {}"
    with connection.cursor() as cursor:
        cursor.execute(change.format(1000))
        try:
            assert f"{name} is 1" in status("database")[1]
        finally:
            cursor.execute(change.format(5000))


def test_a_channel_layer_that_does_not_answer(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ccdash.doctor.surroundings.get_channel_layer", lambda: None)
    assert status("channel layer")[0] == "warn"


def test_an_attempt_without_a_worker(tmp_path: Path) -> None:
    run = runs.launch(runs.make_team(tmp_path), "a")
    assert status("workers")[0] == "warn"
    runs.start(run)
    ExecutionRun.objects.update(lease_expires_at=run.created_at)
    assert status("workers")[0] == "fail"


def test_an_audit_log_that_was_changed() -> None:
    fill(3)
    execute("UPDATE policy_auditrecord SET reason = 'Forged.' WHERE sequence = 2")
    assert status("audit log")[0] == "fail"


def test_no_key_is_ever_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-this-is-nobodys-business")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    code, found = look("--network")
    assert code == 1
    assert "can't be reached" in next(line["message"] for line in found if "openai" in line["message"])
    assert "nobodys" not in json.dumps(found)


def test_checkpoints_that_do_not_arrive(settings: Any) -> None:
    settings.AUDIT_WEBHOOK = "http://127.0.0.1:9/path-that-is-nobodys-business"
    fill(1)
    audit.write_checkpoint()
    audit_delivery.deliver()
    level, message = status("audit delivery")
    assert (level, "1 checkpoints wait for the webhook 127.0.0.1, tried 1 times." in message) == ("warn", True)
    assert "nobodys-business" not in message
