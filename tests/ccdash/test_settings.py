"""A wrong value in the environment stops the start with one sentence that helps and tells no secret."""

import logging
import os
import runpy
import stat
from pathlib import Path
from typing import Any

import pytest

from ccdash import checks, data_folder, logs
from ccdash.env import BadSetting

SETTINGS = Path(__file__).parents[2] / "ccdash" / "settings.py"
SECRET = "hunter2"

pytestmark = pytest.mark.pure


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("DATABASE_URL", "REDIS_URL", "CCDASH_EMBEDDED", "CCDASH_DISPATCH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CCDASH_DATA_DIR", str(tmp_path / "data"))


def _settings() -> dict[str, Any]:
    return runpy.run_path(str(SETTINGS))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "abc"),
        ("PORT", "0"),
        ("PORT", "70000"),
        ("PORT", "-1"),
        ("PORT", "8000\nX"),
        ("HOST", "two words"),
        ("HOST", "http://localhost"),
        ("DATABASE_URL", f"foo://user:{SECRET}@host/name"),
        ("DATABASE_URL", f"postgresql://user:{SECRET}@host/"),
        ("DATABASE_URL", f"postgresql://user:{SECRET}@[host/name"),
        ("DATABASE_URL", f"postgresql://user:{SECRET}@host:port/name"),
        ("DATABASE_URL", SECRET),
        ("DATABASE_URL", "sqlite://:memory:"),
        ("REDIS_URL", f"http://:{SECRET}@host"),
        ("REDIS_URL", f"redis://:{SECRET}@host:abc/0"),
        ("REDIS_URL", SECRET),
        ("CCDASH_WORKERS", "0"),
        ("CCDASH_WORKERS", "many"),
        ("CCDASH_ALLOWED_HOSTS", "*"),
        ("CCDASH_ALLOWED_HOSTS", "example.org, *.example.org"),
        ("CCDASH_SECRET_KEY", SECRET),
        ("CCDASH_HTTPS", "maybe"),
        ("CCDASH_DEMO", "2"),
        ("CCDASH_DISPATCH", "celery"),
        ("CCDASH_SANDBOX", "docker"),
        ("CCDASH_COMMAND_MEMORY_MB", "lots"),
        ("CCDASH_LOG_LEVEL", "LOUD"),
        ("OPENAI_BASE_URL", "ftp://example.org"),
        ("ANTHROPIC_BASE_URL", "example.org"),
        ("CCDASH_AUDIT_WEBHOOK", SECRET),
        ("CCDASH_AUDIT_WEBHOOK", f"http://example.org/{SECRET}"),
        ("CCDASH_AUDIT_WEBHOOK", f"https://user:{SECRET}@example.org/"),
        ("CCDASH_AUDIT_WEBHOOK", f"https://example.org/{SECRET} x"),
        ("CCDASH_AUDIT_WEBHOOK", f"https:///{SECRET}"),
        ("CCDASH_AUDIT_WEBHOOK", f"https://example.org/#{SECRET}"),
        ("CCDASH_AUDIT_WEBHOOK_TOKEN", f"{SECRET}\r\nCookie: x"),
        ("CCDASH_AUDIT_GIT_REMOTE", SECRET),
        ("CCDASH_AUDIT_GIT_REMOTE", f"ext::sh -c {SECRET}"),
        ("CCDASH_AUDIT_GIT_REMOTE", f"git@host::{SECRET}"),
        ("CCDASH_AUDIT_GIT_REMOTE", f"--upload-pack={SECRET}"),
        ("CCDASH_AUDIT_GIT_REMOTE", f"ssh://-oProxyCommand={SECRET}/x"),
        ("CCDASH_AUDIT_GIT_REMOTE", f"ssh://user@-oProxyCommand={SECRET}/x"),
        ("CCDASH_AUDIT_GIT_REMOTE", f"-o{SECRET}@host:path"),
        ("CCDASH_AUDIT_GIT_REMOTE", f"http://user:{SECRET}@example.org/x.git"),
        ("CCDASH_DATA_DIR", "/dev/null"),
        ("CCDASH_DATA_DIR", "/dev/null/below"),
    ],
)
def test_a_wrong_value_is_refused_in_a_sentence(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(BadSetting) as refusal:
        _settings()
    sentence = str(refusal.value)
    assert sentence.startswith(name)
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert SECRET not in sentence


def test_an_empty_value_counts_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PORT", "DATABASE_URL", "REDIS_URL", "CCDASH_SECRET_KEY", "CCDASH_ALLOWED_HOSTS"):
        monkeypatch.setenv(name, "")
    assert _settings()["PORT"] == 8000


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CCDASH_AUDIT_WEBHOOK", "https://audit.example.org:8443/in?to=us"),
        ("CCDASH_AUDIT_WEBHOOK", "http://localhost:9000/in"),
        ("CCDASH_AUDIT_WEBHOOK", "http://[::1]:9000/in"),
        ("CCDASH_AUDIT_WEBHOOK_TOKEN", "tok_4e7a9b2c"),
        ("CCDASH_AUDIT_GIT_REMOTE", "/srv/audit copies/log.git"),
        ("CCDASH_AUDIT_GIT_REMOTE", "file:///srv/log.git"),
        ("CCDASH_AUDIT_GIT_REMOTE", "git@example.org:audit/log.git"),
        ("CCDASH_AUDIT_GIT_REMOTE", "ssh://git@example.org:2222/log.git"),
        ("CCDASH_AUDIT_GIT_REMOTE", "https://user:token@example.org/log.git"),
    ],
)
def test_places_for_checkpoints_are_taken_as_they_are(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    assert _settings()[name.removeprefix("CCDASH_")] == value


def test_a_token_without_a_webhook_is_said_to_go_nowhere(settings: Any) -> None:
    settings.AUDIT_WEBHOOK_TOKEN = SECRET
    (found,) = checks.settings_agree()
    assert (found.id, SECRET in found.msg) == ("ccdash.E005", False)
    settings.AUDIT_WEBHOOK = "https://audit.example.org/"
    assert checks.settings_agree() == []


def test_the_secret_key_is_made_once_and_only_we_may_read_it(tmp_path: Path) -> None:
    first, second = _settings(), _settings()
    assert first["SECRET_KEY"] == second["SECRET_KEY"]
    assert len(first["SECRET_KEY"]) >= 64
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "data").iterdir()}
    assert modes == {"secret_key": 0o600, "ccdash.sqlite3": 0o600}
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700


def test_a_folder_of_ours_that_stands_open_is_closed_and_a_strangers_is_left_alone(tmp_path: Path) -> None:
    ours, strangers = tmp_path / "ours", tmp_path / "strangers"
    for folder in (ours, strangers):
        folder.mkdir()
        folder.chmod(0o755)
    (strangers / "thesis.tex").touch()
    data_folder.prepare(ours)
    data_folder.prepare(strangers)
    assert stat.S_IMODE(ours.stat().st_mode) == 0o700
    assert stat.S_IMODE(strangers.stat().st_mode) == 0o755


def test_a_folder_we_may_not_write_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # the superuser, as whom tests may run, may write anywhere
    with pytest.raises(BadSetting, match="not writable"):
        data_folder.prepare(tmp_path)


def test_https_makes_every_cookie_secure_and_bound_to_this_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CCDASH_HTTPS", "1")
    settings = _settings()
    assert settings["SESSION_COOKIE_NAME"].startswith("__Host-")
    assert settings["CSRF_COOKIE_NAME"].startswith("__Host-")
    assert settings["SESSION_COOKIE_SECURE"]
    assert settings["CSRF_COOKIE_SECURE"]
    assert settings["SECURE_HSTS_SECONDS"] > 0


def test_postgresql_brings_its_own_engine_and_doorbell_and_redis_replaces_the_latter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://user@host/name?sslmode=require")
    alone = _settings()
    monkeypatch.setenv("REDIS_URL", "redis://host")
    with_redis = _settings()
    assert "procrastinate.contrib.django" in alone["INSTALLED_APPS"]
    assert "channels_postgres" in alone["INSTALLED_APPS"]
    assert "channels_postgres" not in with_redis["INSTALLED_APPS"]
    options = alone["DATABASES"]["default"]["OPTIONS"]
    assert options["sslmode"] == "require"
    assert "lock_timeout=5s" in options["options"]
    assert "pool" not in alone["CHANNEL_LAYERS"]["default"]["CONFIG"]["OPTIONS"]


def test_a_log_line_stays_one_line_whatever_it_is_told() -> None:
    record = logging.LogRecord("ccdash", logging.INFO, "", 0, "said %s", ("a\nERROR forged\x1b[31m\u202e",), None)
    line = logs.LineFormatter("{message}", style="{").format(record)
    assert line == "said a\\nERROR forged\\x1b[31m\\u202e"
