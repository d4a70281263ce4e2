"""Tokens: shown once, kept as a hash, dead when they should be."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.utils import timezone

from policy import tokens
from policy.actors import Actor
from policy.errors import Invalid, NotVisible
from policy.models import ApiToken, AuditRecord
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def test_a_new_token_lets_its_person_in():
    anna = UserFactory()
    token, raw = tokens.create(anna, name="ci")

    found = tokens.authenticate(raw)

    assert found == token
    assert found.user == anna
    assert not found.may_approve


def test_the_database_holds_no_usable_part_of_the_token():
    token, raw = tokens.create(UserFactory())

    row = " ".join(str(value) for value in ApiToken.objects.values().get(pk=token.pk).values())

    assert raw not in row
    assert raw[tokens.PREFIX_LENGTH :] not in row
    assert raw.startswith(token.prefix)


@pytest.mark.parametrize("wrong", ["", "ccd_", "ccd_nonsense", "Bearer x", "ccd_\ud800", "ccd_é", "x" * 100_000])
def test_what_is_no_token_lets_nobody_in(wrong):
    tokens.create(UserFactory())

    assert tokens.authenticate(wrong) is None


def test_a_token_that_differs_by_one_character_lets_nobody_in():
    _, raw = tokens.create(UserFactory())

    assert tokens.authenticate(raw[:-1] + ("a" if raw[-1] != "a" else "b")) is None


def test_an_expired_token_is_dead():
    with time_machine.travel(NOON, tick=False):
        _, raw = tokens.create(UserFactory(), expires_at=NOON + timedelta(hours=1))
        assert tokens.authenticate(raw)

    with time_machine.travel(NOON + timedelta(hours=1), tick=False):
        assert tokens.authenticate(raw) is None


def test_a_token_of_a_deactivated_person_is_dead():
    anna = UserFactory()
    _, raw = tokens.create(anna)
    anna.is_active = False
    anna.save()

    assert tokens.authenticate(raw) is None


def test_a_revoked_token_is_dead_and_revoking_again_changes_nothing():
    anna = UserFactory()
    token, raw = tokens.create(anna)

    tokens.revoke(token, by=Actor.for_command(anna))
    first = token.revoked_at
    tokens.revoke(token, by=Actor.for_command(anna))

    assert tokens.authenticate(raw) is None
    assert token.revoked_at == first
    assert AuditRecord.objects.filter(action="token.revoked").count() == 1


def test_nobody_revokes_the_token_of_somebody_else():
    token, raw = tokens.create(UserFactory())

    with pytest.raises(NotVisible):
        tokens.revoke(token, by=Actor.for_command(UserFactory()))

    assert tokens.authenticate(raw)


def test_the_use_is_noted_at_most_once_a_minute(django_assert_num_queries):
    _, raw = tokens.create(UserFactory())

    with time_machine.travel(NOON, tick=False), django_assert_num_queries(2):
        assert tokens.authenticate(raw).last_used_at == NOON
    with time_machine.travel(NOON + timedelta(seconds=59), tick=False), django_assert_num_queries(1):
        assert tokens.authenticate(raw).last_used_at == NOON
    with time_machine.travel(NOON + timedelta(seconds=61), tick=False):
        assert tokens.authenticate(raw).last_used_at == NOON + timedelta(seconds=61)


def test_issuing_is_on_record_without_the_token():
    anna = UserFactory(username="anna")
    _, raw = tokens.create(anna, name="ci", may_approve=True)

    record = AuditRecord.objects.get(action="token.created")

    assert record.actor == "anna"
    assert record.after["may_approve"] is True
    assert raw not in str(record.__dict__)


@pytest.mark.parametrize(
    "wrong", [{"name": "x" * 101}, {"expires_at": datetime(2020, 1, 1, tzinfo=UTC)}], ids=["name", "expiry"]
)
def test_a_token_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(Invalid):
        tokens.create(UserFactory(), **wrong)

    assert not ApiToken.objects.exists()


def test_a_deactivated_person_gets_no_token():
    with pytest.raises(Invalid, match="deactivated"):
        tokens.create(UserFactory(is_active=False))


def test_an_actor_carries_what_its_token_was_issued_for():
    anna = UserFactory(last_login=timezone.now())
    may, _ = tokens.create(anna, may_approve=True)
    may_not, _ = tokens.create(anna)

    assert Actor.for_token(may).may_approve
    assert not Actor.for_token(may_not).may_approve
    assert Actor.for_token(may).credential == may.prefix
