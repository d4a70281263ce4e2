"""Checkpoints on their way to a webhook and a git remote: a real server, a real repository, and both when they fail."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from orchestration import audit_delivery
from orchestration.audit_delivery import webhook
from policy import audit
from tests.orchestration.repositories_of_tests import git
from tests.policy.tampering import fill

pytestmark = pytest.mark.django_db
BRANCH = "audit-checkpoints"
LATER = timedelta(hours=1)


class Receiver(HTTPServer):
    def __init__(self) -> None:
        self.status = 200
        self.drips = False
        self.seen: list[tuple[str, Any, bytes]] = []
        super().__init__(("127.0.0.1", 0), Answers)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/in?key=kept-private-4711"

    @property
    def numbers(self) -> list[int]:
        return [audit_number(body) for _, _, body in self.seen]


class Answers(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.seen.append((self.path, dict(self.headers), body))
        self._answer()

    def do_GET(self) -> None:
        self.server.seen.append((self.path, dict(self.headers), b""))
        self._answer()

    def _answer(self) -> None:
        if self.server.drips:
            self._drip()
            return
        self.send_response(self.server.status)
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _drip(self) -> None:
        """A header without an end, a byte at a time, for as long as somebody listens."""
        with contextlib.suppress(OSError):
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            while True:
                self.wfile.write(b"x")
                time.sleep(0.01)

    def log_message(self, *_: Any) -> None:
        """Silent."""


def audit_number(envelope: bytes) -> int:
    return int(json.loads(base64.b64decode(json.loads(envelope)["payload"]))["number"])


@pytest.fixture(autouse=True)
def data(settings: Any, tmp_path: Path) -> Path:
    settings.DATA_DIR = tmp_path / "data"
    settings.DATA_DIR.mkdir()
    settings.ALLOW_PRIVATE_PROVIDERS = "loopback"
    return Path(settings.DATA_DIR)


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    made = Receiver()
    settings.AUDIT_WEBHOOK = made.url
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


@pytest.fixture
def remote(settings: Any, tmp_path: Path) -> Path:
    bare = tmp_path / "kept.git"
    git(tmp_path, "init", "-q", "--bare", str(bare))
    settings.AUDIT_GIT_REMOTE = str(bare)
    return bare


def seal(count: int = 1) -> None:
    for _ in range(count):
        fill(1)
        audit.write_checkpoint()


def names(remote: Path) -> list[str]:
    return git(remote, "ls-tree", "--name-only", BRANCH).splitlines()


def waiting() -> list[int]:
    return [way.waiting for way in audit_delivery.standings()]


def test_each_checkpoint_is_posted_once_in_order_and_as_it_was_signed(receiver: Receiver, settings: Any) -> None:
    settings.AUDIT_WEBHOOK_TOKEN = "tok-4e7a9b2c"
    seal(2)
    audit_delivery.deliver()
    seal()
    audit_delivery.deliver()
    audit_delivery.deliver()
    assert receiver.numbers == [1, 2, 3]
    assert [body for _, _, body in receiver.seen] == [file.read_bytes() for file in audit.checkpoint_files()]
    path, headers, _ = receiver.seen[0]
    assert path == "/in?key=kept-private-4711"
    assert (headers["Content-Type"], headers["Authorization"]) == ("application/json", "Bearer tok-4e7a9b2c")
    assert waiting() == [0]


@pytest.mark.parametrize(("status", "said"), [(302, "leads elsewhere"), (500, "answered 500"), (401, "answered 401")])
def test_what_is_not_taken_waits_and_is_sent_again_later_and_later(
    receiver: Receiver, status: int, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.status, now = status, timezone.now()
    seal(2)
    audit_delivery.deliver(now)
    audit_delivery.deliver(now + timedelta(seconds=29))
    assert receiver.numbers == [1], "the second waits for the first, and nobody follows a redirect"
    audit_delivery.deliver(now + timedelta(seconds=31))
    audit_delivery.deliver(now + timedelta(seconds=62))
    assert receiver.numbers == [1, 1]
    failure = audit_delivery.standings()[0].failure
    assert failure is not None
    assert (failure.tries, said in failure.message) == (2, True)
    assert "4711" not in caplog.text + failure.message
    receiver.status = 204
    audit_delivery.deliver(now + LATER)
    assert receiver.numbers == [1, 1, 1, 2]
    assert audit_delivery.standings()[0].failure is None


def test_a_dead_server_holds_up_no_seal_and_gets_all_when_it_is_back(receiver: Receiver, settings: Any) -> None:
    settings.AUDIT_WEBHOOK = "http://127.0.0.1:9/"
    now = timezone.now()
    seal()
    audit_delivery.deliver(now)
    seal()
    assert (len(audit.checkpoint_files()), waiting()) == (2, [2])
    settings.AUDIT_WEBHOOK = receiver.url
    audit_delivery.deliver(now)
    assert receiver.numbers == [1, 2], "another address is tried at once and has received nothing yet"


def test_a_server_that_answers_for_ever_is_left(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "WHOLE_SECONDS", 0.2)
    receiver.drips = True
    seal()
    audit_delivery.deliver()
    failure = audit_delivery.standings()[0].failure
    assert failure is not None
    assert "did not answer" in failure.message
    assert waiting() == [1]


def test_a_webhook_leads_nowhere_that_an_address_of_a_provider_may_not(receiver: Receiver, settings: Any) -> None:
    settings.ALLOW_PRIVATE_PROVIDERS = "none"
    seal()
    audit_delivery.deliver()
    failure = audit_delivery.standings()[0].failure
    assert failure is not None
    assert "not sent to" in failure.message
    assert receiver.seen == []


def test_a_token_that_the_other_end_repeats_is_not_logged(remote: Path, settings: Any, tmp_path: Path) -> None:
    settings.AUDIT_GIT_REMOTE = "https://robot:tok-4e7a9b2c@127.0.0.1:9/tok-4e7a9b2c.git"
    seal()
    audit_delivery.deliver()
    way = audit_delivery.standings()[0]
    assert way.failure is not None
    assert "tok-4e7a9b2c" not in way.failure.message
    assert "robot" not in way.place


def test_a_credential_in_the_address_is_a_header_and_no_part_of_the_path(receiver: Receiver, settings: Any) -> None:
    settings.AUDIT_WEBHOOK, receiver.status = "", 403
    settings.AUDIT_GIT_REMOTE = f"http://robot:tok-4e7a9b2c@127.0.0.1:{receiver.server_port}/log.git"
    seal()
    audit_delivery.deliver()
    (path, headers, _), *_ = receiver.seen
    assert path == "/log.git/info/refs?service=git-upload-pack"
    assert headers["Authorization"] == f"Basic {base64.b64encode(b'robot:tok-4e7a9b2c').decode()}"
    failure = audit_delivery.standings()[0].failure
    assert failure is not None
    assert "403" in failure.message
    assert "tok-4e7a9b2c" not in failure.message


def test_checkpoints_are_commits_that_are_added_and_proved_from_a_clone(remote: Path, tmp_path: Path) -> None:
    seal(2)
    audit_delivery.deliver()
    seal()
    audit_delivery.deliver()
    audit_delivery.deliver()
    assert git(remote, "log", "--format=%s", BRANCH).splitlines() == ["Checkpoint 3", "Checkpoint 2"]
    assert names(remote) == ["00000001.json", "00000002.json", "00000003.json", "audit-key.pub"]
    git(tmp_path, "clone", "-q", "-b", BRANCH, str(remote), "clone")
    assert audit.verify(checkpoints=tmp_path / "clone").ok


def test_a_push_is_never_forced_and_what_others_added_stays(remote: Path, tmp_path: Path) -> None:
    seal()
    audit_delivery.deliver()
    git(tmp_path, "clone", "-q", "-b", BRANCH, str(remote), "clone")
    (tmp_path / "clone/README").write_text("Kept by the auditors.")
    git(tmp_path / "clone", "add", "-A")
    git(tmp_path / "clone", "commit", "-q", "-m", "Say whose this is")
    git(tmp_path / "clone", "push", "-q", "origin", BRANCH)
    seal()
    audit_delivery.deliver()
    assert names(remote) == ["00000001.json", "00000002.json", "README", "audit-key.pub"]
    assert git(remote, "log", "--format=%s", BRANCH).splitlines() == [
        "Checkpoint 2", "Say whose this is", "Checkpoint 1",
    ]  # fmt: skip


def test_a_branch_of_another_log_is_refused_and_left_alone(remote: Path, tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "-b", BRANCH, "other")
    (tmp_path / "other/00000001.json").write_text("another log")
    git(tmp_path / "other", "add", "-A")
    git(tmp_path / "other", "commit", "-q", "-m", "Another log")
    git(tmp_path / "other", "push", "-q", str(remote), BRANCH)
    seal()
    audit_delivery.deliver()
    failure = audit_delivery.standings()[0].failure
    assert failure is not None
    assert "another log" in failure.message
    assert git(remote, "show", f"{BRANCH}:00000001.json") == "another log"


def test_what_a_remote_that_is_gone_missed_comes_later(remote: Path, tmp_path: Path) -> None:
    away, now = tmp_path / "away.git", timezone.now()
    remote.rename(away)
    seal(2)
    audit_delivery.deliver(now)
    assert waiting() == [2]
    away.rename(remote)
    audit_delivery.deliver(now + LATER)
    assert (waiting(), len(names(remote))) == ([0], 3)


@pytest.mark.parametrize("lost", ["the answer to the push", "our own repository"])
def test_a_restart_in_between_delivers_nothing_twice(
    remote: Path, data: Path, lost: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seal()
    audit_delivery.deliver()
    ours = next((data / "audit-delivery").glob("git-remote-*"))
    if lost == "our own repository":
        ours.rename(data / "lost")
    else:
        git(ours, "update-ref", "-d", f"refs/heads/{BRANCH}")
    assert waiting() == [1]
    audit_delivery.deliver()
    assert waiting() == [0]
    assert git(remote, "rev-list", "--count", BRANCH) == "1"


def test_no_hook_and_no_setting_of_the_machine_is_run(
    remote: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seal()
    audit_delivery.deliver()
    ours = next((data / "audit-delivery").glob("git-remote-*"))
    for hook in ("pre-push", "reference-transaction", "post-update"):
        (ours / "hooks").mkdir(exist_ok=True)
        (ours / "hooks" / hook).write_text(f"#!/bin/sh\ntouch {tmp_path}/trapped\n")
        (ours / "hooks" / hook).chmod(0o755)
    (tmp_path / "gitconfig").write_text(f'[url "/nowhere"]\n\tpushInsteadOf = {remote}\n')
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    seal()
    audit_delivery.deliver()
    assert len(names(remote)) == 3
    assert not (tmp_path / "trapped").exists()


def test_only_one_process_of_a_data_folder_delivers(receiver: Receiver, data: Path) -> None:
    seal()
    (data / "audit-delivery").mkdir()
    with (data / "audit-delivery/lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        audit_delivery.deliver()
        assert receiver.seen == []
    audit_delivery.deliver()
    assert receiver.numbers == [1]
