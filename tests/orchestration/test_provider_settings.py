"""How a project reaches its providers: set by admins, encrypted, masked, kept out of private networks, audited."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_django import Settings

from orchestration import provider_settings
from orchestration.models import ProviderSettings
from policy.errors import Invalid, NotAllowed
from policy.models import AuditRecord
from tests.orchestration import runs
from tests.orchestration.runs import Team

pytestmark = pytest.mark.django_db
KEY = "sk-test-0123456789abcdef"
LOCAL = "http://127.0.0.1:11434/v1"


@pytest.fixture
def team(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Team:
    settings.DATA_DIR = tmp_path
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    made = runs.make_team(tmp_path)
    made.project.memberships.filter(user=made.grace).update(role="admin")
    return made


def store(team: Team, by: str = "grace", **more: str | None) -> None:
    provider_settings.set_provider(team.project, "openai", by=team.actor(by), **more)  # type: ignore[arg-type]


def test_a_key_is_encrypted_masked_and_never_in_the_audit_log(team: Team) -> None:
    store(team, key=KEY)
    stored = ProviderSettings.objects.get()
    assert KEY.encode() not in bytes(stored.key_ciphertext)
    assert provider_settings.config_of(team.project, "openai").api_key == KEY
    assert provider_settings.health(team.project, "openai").key == "…cdef"
    record = AuditRecord.objects.get(action="provider.set")
    assert KEY not in str([record.before, record.after])


def test_only_an_admin_sets_a_provider(team: Team) -> None:
    with pytest.raises(NotAllowed):
        store(team, by="ada", key=KEY)


def test_a_new_address_does_not_get_the_old_key(team: Team) -> None:
    store(team, key=KEY)
    store(team, base_url=LOCAL)
    assert provider_settings.config_of(team.project, "openai").api_key == ""


@pytest.mark.parametrize(
    "url",
    ["http://10.0.0.5/v1", "http://169.254.169.254/", "http://[fe80::1]/", "file:///etc/passwd", "http://0.0.0.0/"],
)
def test_private_and_odd_addresses_are_refused(team: Team, url: str) -> None:
    with pytest.raises(Invalid):
        store(team, base_url=url)


def test_this_machine_is_an_address_only_where_the_installation_says_so(team: Team, settings: Settings) -> None:
    store(team, base_url=LOCAL)
    settings.ALLOW_PRIVATE_PROVIDERS = "none"
    with pytest.raises(Invalid):
        provider_settings.usable_config(team.project, "openai")


def test_an_address_of_the_projects_own_is_held_to_the_rule_when_it_is_connected_to(
    team: Team, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.ALLOW_PRIVATE_PROVIDERS = "loopback"
    store(team, base_url=LOCAL)
    assert provider_settings.config_of(team.project, "openai").reach == "loopback"
    monkeypatch.setenv("OPENAI_BASE_URL", LOCAL)
    assert provider_settings.config_of(team.project, "openai").reach == ""
