"""How a project reaches its providers, as people set it: by form and by command, tried out, masked, refused."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from orchestration import provider_settings
from orchestration.models import ProviderSettings
from policy.models import AuditRecord
from tests.factories import member
from tests.orchestration import runs
from tests.orchestration.providers.plays import FakeAnthropic, FakeOpenAI, say
from tests.orchestration.providers.wire import FakeProvider
from tests.orchestration.runs import Team
from tests.workbench.visitors import text_of, visitor

pytestmark = pytest.mark.django_db
KEY = "sk-test-0123456789abcdef"


@pytest.fixture
def team(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Team:
    settings.DATA_DIR = tmp_path
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "OPENAI_BASE_URL", "ANTHROPIC_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    return runs.make_team(tmp_path)


@pytest.fixture
def admin(team: Team) -> Client:
    return visitor(member(team.project, "admin", username="root-of-it"))


@pytest.fixture(params=["openai", "anthropic"])
def server(request: pytest.FixtureRequest) -> Iterator[tuple[str, FakeProvider]]:
    fake = {"openai": FakeOpenAI, "anthropic": FakeAnthropic}[request.param]
    with fake([say("Hello")]) as ready:
        yield request.param, ready


def at(team: Team, tail: str = "openai/") -> str:
    return f"/projects/{team.project.slug}/providers/{tail}"


def store(admin: Client, team: Team, name: str = "openai", **sent: str) -> Any:
    return admin.post(at(team, f"{name}/"), {"base_url": "", "model": "", "key": "", **sent}, follow=True)


def test_what_is_set_is_shown_masked_on_every_page(team: Team, admin: Client) -> None:
    answer = store(admin, team, base_url="http://127.0.0.1:11434/v1", model="llama", key=KEY)
    assert "is set for this project" in text_of(answer)
    pages = [answer, admin.get(at(team)), admin.get(at(team, ""))]
    assert all("…cdef" in text_of(page) for page in pages)
    assert not any(KEY in page.content.decode() for page in pages)
    assert 'value="llama"' in admin.get(at(team)).content.decode()


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        ({"base_url": "not an address"}, "http or https address"),
        ({"base_url": "https://user:pass@example.com/v1"}, "must not carry credentials"),
        ({"base_url": "http://10.1.2.3/v1"}, "private network"),
        ({"base_url": "http://169.254.169.254/"}, "private network"),
        ({"base_url": "http://no-such-host.invalid/v1"}, "can't be found"),
        ({"key": "a key with blanks in it"}, "no key has"),
    ],
)
def test_what_cannot_be_is_said_at_its_field_and_changes_nothing(
    team: Team, admin: Client, sent: dict[str, str], words: str
) -> None:
    store(admin, team, key=KEY)
    answer = store(admin, team, **sent)
    assert answer.status_code == 422
    assert words in text_of(answer)
    assert "a key with blanks" not in answer.content.decode()
    assert provider_settings.config_of(team.project, "openai").api_key == KEY


def test_a_new_address_needs_its_own_key_and_that_is_said(team: Team, admin: Client) -> None:
    store(admin, team, key=KEY)
    answer = store(admin, team, base_url="http://127.0.0.1:11434/v1")
    assert "its key was removed" in text_of(answer)
    assert provider_settings.config_of(team.project, "openai").api_key == ""
    answer = store(admin, team, base_url="http://127.0.0.1:11434/v1", model="m", key=KEY)
    assert "its key was removed" not in text_of(answer)
    store(admin, team, base_url="http://127.0.0.1:11434/v1", model="other")
    assert provider_settings.config_of(team.project, "openai").api_key == KEY


def test_the_connection_is_tried_and_what_came_of_it_is_said(
    team: Team, admin: Client, server: tuple[str, FakeProvider]
) -> None:
    name, fake = server
    store(admin, team, name, base_url=fake.url, key=KEY)
    assert "answers." in text_of(admin.post(at(team, f"{name}/test/"), follow=True))
    sent = fake.asked[-1].headers
    assert KEY in sent.get("authorization", "") + sent.get("x-api-key", "")
    fake.may_fail = lambda asked: True  # type: ignore[method-assign]
    fake.reply = lambda asked: (401, {"error": {"message": f"Wrong key: {KEY}"}})  # type: ignore[method-assign]
    answer = admin.post(at(team, f"{name}/test/"), follow=True)
    assert "The provider refused the API key (401): Wrong key: [key]" in text_of(answer)
    assert KEY not in answer.content.decode()


def test_a_server_that_is_not_there_is_said(team: Team, admin: Client) -> None:
    store(admin, team, base_url="http://127.0.0.1:9/v1", key=KEY)
    assert "could not be reached" in text_of(admin.post(at(team, "openai/test/"), follow=True))


def test_settings_are_taken_away_again(team: Team, admin: Client) -> None:
    store(admin, team, base_url="http://127.0.0.1:9/v1", key=KEY)
    assert "Remove" in text_of(admin.get(at(team, "")))
    answer = admin.post(at(team, "openai/removal/"), follow=True)
    assert "the server's own settings count again" in text_of(answer)
    assert not ProviderSettings.objects.exists()
    assert AuditRecord.objects.filter(action="provider.removed").count() == 1


@pytest.mark.parametrize("tail", ["openai/", "openai/test/", "openai/removal/"])
def test_only_an_admin_comes_here(team: Team, tail: str) -> None:
    assert visitor(team.grace).post(at(team, tail), {"key": KEY}).status_code == 403
    assert visitor().post(at(team, tail), {"key": KEY}).status_code == 404
    assert not ProviderSettings.objects.exists()


@pytest.mark.parametrize("name", ["simulated", "elsewhere"])
def test_what_has_nothing_to_set_is_refused(team: Team, admin: Client, name: str) -> None:
    assert store(admin, team, name, key=KEY).status_code == 422
    assert not ProviderSettings.objects.exists()


# the command


def command(team: Team, monkeypatch: pytest.MonkeyPatch, *arguments: str, key: str = "") -> str:
    out = io.StringIO()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(key.encode())))
    call_command("set_provider", team.project.slug, *arguments, stdout=out, stderr=out)
    return out.getvalue()


def test_the_command_reads_the_key_tries_it_and_never_says_it(
    team: Team, monkeypatch: pytest.MonkeyPatch, server: tuple[str, FakeProvider]
) -> None:
    name, fake = server
    told = command(team, monkeypatch, name, "--base-url", fake.url, "--key-stdin", "--test", key=f"{KEY}\n")
    assert told == f"Set {name} in {team.project.slug}. It answers.\n"
    assert provider_settings.config_of(team.project, name).api_key == KEY
    told = command(team, monkeypatch, name, "--base-url", "http://127.0.0.1:9/v1")
    assert "its key was removed" in told
    with pytest.raises(CommandError, match="could not be reached"):
        command(team, monkeypatch, name, "--base-url", "http://127.0.0.1:9/v1", "--key-stdin", "--test", key=KEY)


@pytest.mark.parametrize("url", ["nonsense", "http://10.0.0.1/v1", "http://[fe80::1]/"])
def test_the_command_refuses_what_the_form_refuses(team: Team, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    with pytest.raises(CommandError):
        command(team, monkeypatch, "openai", "--base-url", url)
    assert not ProviderSettings.objects.exists()
