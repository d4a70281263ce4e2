"""`serve` as a process: it prepares, says where it is, ends on a signal, and refuses in a sentence."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

MANAGE = Path(__file__).parents[2] / "manage.py"

pytestmark = [pytest.mark.pure, pytest.mark.recovery]


class Serving:
    """A server of its own on a free port, with a fresh data folder."""

    def __init__(self, folder: Path) -> None:
        self.port = _free_port()
        self.environment = {**os.environ, "CCDASH_DATA_DIR": str(folder), "PORT": str(self.port), "CCDASH_DEMO": "0"}
        self.environment |= {"DATABASE_URL": "", "REDIS_URL": "", "CCDASH_EMBEDDED": "1", "CCDASH_DISPATCH": "pool"}
        self.process: subprocess.Popen[str] | None = None

    def start(self, *arguments: str) -> "Serving":
        command = [sys.executable, str(MANAGE), "serve", *arguments]
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self.process = subprocess.Popen(command, env=self.environment, cwd="/", text=True, **pipes)  # type: ignore[call-overload]
        return self

    def wait_until_ready(self) -> None:
        assert self.process
        deadline = time.monotonic() + 60
        while self.process.poll() is None and time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise AssertionError(f"The server did not come up: {self.end(signal.SIGKILL)}")

    def page(self, path: str) -> bytes:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=20) as answer:
            body: bytes = answer.read()
        return body

    def end(self, number: signal.Signals | None = None) -> tuple[int, str, str]:
        assert self.process
        if number is not None:
            self.process.send_signal(number)
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out, err


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Serving]:
    serving = Serving(tmp_path / "a data folder")
    yield serving
    if serving.process and serving.process.poll() is None:
        serving.process.kill()
        serving.process.communicate()


def test_a_first_start_prepares_and_serves_and_both_signals_end_it_cleanly(serving: Serving) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        serving.start("--prepare").wait_until_ready()
        assert b"csrfmiddlewaretoken" in serving.page("/accounts/login/")
        code, out, err = serving.end(number)
        assert (code, err) == (0, "")
        assert f"http://127.0.0.1:{serving.port}/" in out


def test_a_page_names_its_static_files_by_content_and_they_are_there(serving: Serving) -> None:
    serving.start("--prepare").wait_until_ready()
    page = serving.page("/accounts/login/").decode()
    links = {part.split('"')[0] for part in page.split('"/static/')[1:]}
    assert links
    for link in links:
        assert serving.page(f"/static/{link}")
    serving.end(signal.SIGTERM)


def test_a_taken_port_is_said_in_a_sentence(serving: Serving) -> None:
    with socket.create_server(("127.0.0.1", serving.port)):
        code, _, err = serving.start("--prepare").end()
    assert code == 2
    assert f"PORT={serving.port}" in err
    assert "Traceback" not in err


def test_a_database_without_tables_is_said_in_a_sentence(serving: Serving) -> None:
    code, _, err = serving.start().end()
    assert code == 2
    assert "script/manage migrate" in err
    assert "Traceback" not in err


def test_a_wrong_value_ends_the_command_with_one_line(serving: Serving) -> None:
    serving.environment["PORT"] = "abc"
    code, out, err = serving.start("--prepare").end()
    assert (code, out) == (2, "")
    assert err.startswith("PORT='abc'")
    assert err.count("\n") == 1


def test_a_database_that_can_not_be_reached_is_said_without_its_password(serving: Serving) -> None:
    serving.environment["DATABASE_URL"] = "postgresql://user:hunter2@127.0.0.1:1/name"
    code, _, err = serving.start("--prepare").end()
    assert code == 2
    assert "DATABASE_URL" in err
    assert "hunter2" not in err
    assert "Traceback" not in err


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
