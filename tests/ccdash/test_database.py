"""The database comes up as promised, on whichever of the two this pass runs."""

import pytest
from django.db import DatabaseError, connection, transaction

from ccdash import database
from policy.models import AuditHead, AuditRecord


@pytest.mark.django_db
def test_the_effective_values_are_the_promised_ones() -> None:
    assert database.unexpected_values(connection) == []


@pytest.mark.django_db(transaction=True)
def test_a_value_that_was_changed_behind_our_back_is_named() -> None:
    name, worse = ("synchronous", "1") if connection.vendor == "sqlite" else ("lock_timeout", "1s")
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA {name}={worse}" if connection.vendor == "sqlite" else f"SET {name} = '{worse}'")
        phrases = database.unexpected_values(connection)
        cursor.execute(f"PRAGMA {name}=2" if connection.vendor == "sqlite" else f"RESET {name}")
    assert len(phrases) == 1
    assert phrases[0].startswith(f"{name} is {worse}, not ")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("turn", ["first", "second"])
def test_append_only_tables_stay_so_after_a_transactional_test_was_cleaned_up(turn: str) -> None:
    assert AuditHead.objects.count() == 1
    AuditRecord.objects.create(sequence=1, at="2026-01-01T00:00:00Z", actor=turn, action="tried", hash="0" * 64)
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM policy_auditrecord")
