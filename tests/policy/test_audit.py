"""The log: what is written, in which form, and that nobody can write it otherwise."""

import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import time_machine
from django.db import connection, transaction
from django.db.utils import DatabaseError, IntegrityError

from policy import audit
from policy.actors import Actor
from policy.audit import AuditEntry
from policy.errors import AuditError
from policy.models import AuditHead, AuditRecord
from policy.models.append_only import AppendOnlyError
from tests.factories import UserFactory
from tests.policy.tampering import execute, fill

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SYSTEM = Actor.system("worker")


@pytest.mark.django_db
def test_a_record_says_who_did_what_when_where_and_why():
    anna = UserFactory(username="anna")

    with time_machine.travel(NOON, tick=False):
        audit.append(
            "step.skipped",
            actor=Actor.for_session(anna, {}),
            project="shop",
            run="r1",
            step="build",
            subject="run:r1",
            before={"state": "failed"},
            after={"state": "skipped"},
            reason="Not needed.",
            payload_digest="d" * 64,
        )

    record = AuditRecord.objects.get()
    assert (record.sequence, record.at, record.previous_hash) == (1, NOON, audit.GENESIS)
    assert (record.actor, record.actor_id, record.actor_kind) == ("anna", str(anna.pk), "human")
    assert (record.project, record.run, record.step, record.subject) == ("shop", "r1", "build", "run:r1")
    assert (record.before, record.after, record.reason) == ({"state": "failed"}, {"state": "skipped"}, "Not needed.")
    assert record.outcome == "done"


@pytest.mark.django_db
def test_records_are_chained_and_the_head_follows():
    fill(3)
    first, second, third = AuditRecord.objects.order_by("sequence")

    assert [second.previous_hash, third.previous_hash] == [first.hash, second.hash]
    assert AuditHead.objects.values_list("sequence", "hash").get() == (3, third.hash)
    assert audit.verify().ok


@pytest.mark.django_db
def test_what_is_answered_is_what_is_stored():
    answered = audit.append("x", actor=SYSTEM, after={"n": 1.5, "when": NOON}, at=NOON)
    stored = AuditRecord.objects.get()

    for name in audit.chain.FIELDS:
        assert getattr(answered, name) == getattr(stored, name), name


@pytest.mark.django_db
def test_many_records_take_three_statements(django_assert_num_queries):
    entries = [AuditEntry("x", SYSTEM, subject=str(number)) for number in range(200)]

    with django_assert_num_queries(3):
        records = audit.append_many(entries)

    assert [record.sequence for record in records] == list(range(1, 201))
    assert audit.verify().ok


@pytest.mark.django_db
def test_more_records_than_a_statement_takes_are_split(django_assert_num_queries):
    with django_assert_num_queries(5):
        audit.append_many([AuditEntry("x", SYSTEM)] * 1500)

    assert audit.verify().records == 1500


@pytest.mark.django_db
def test_no_records_are_no_statement(django_assert_num_queries):
    with django_assert_num_queries(0):
        assert audit.append_many([]) == []


@pytest.mark.django_db(transaction=True)
def test_a_record_outside_a_transaction_is_refused():
    with pytest.raises(AuditError, match="transaction"):
        audit.append("x", actor=SYSTEM)

    assert not AuditRecord.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_change_that_is_undone_leaves_no_record_and_no_gap():
    fill(1)
    with transaction.atomic():
        audit.append("x", actor=SYSTEM)
        transaction.set_rollback(True)
    fill(1)

    assert list(AuditRecord.objects.order_by("sequence").values_list("sequence", flat=True)) == [1, 2]
    assert audit.verify().ok


@pytest.mark.django_db
@pytest.mark.parametrize(
    "value",
    [
        "line\nbreak\ttab\x1b[31m",
        'quote " backslash \\ </script>',
        "NUL \0 inside",
        "half \ud800 pair",
        "ünïcödé 🎉 \u202e\u200b",
        1.0,
        1e22,
        1e-7,
        10**30,
        -0.0,
        Decimal("1.10"),
        NOON,
        {"nested": [1, [2, {"z": None, "a": True}]]},
        {"b", "a"},
        None,
        b"bytes",
    ],
)
def test_any_value_reads_back_as_it_was_hashed(value):
    audit.append("x", actor=SYSTEM, subject=str(value), reason=str(value), after={"value": value, str(value): 1})

    assert audit.verify().ok


@pytest.mark.django_db
def test_what_is_too_long_for_a_column_is_cut_visibly():
    actor = Actor(name="n" * 300, id="1", kind="human")
    record = audit.append("x" * 100, actor=actor, subject="s" * 300, reason="r" * 20_000)

    assert (len(record.actor), len(record.action), len(record.subject)) == (150, 60, 200)
    assert record.subject.endswith("…")
    assert len(record.reason) == 10_000
    assert audit.verify().ok


@pytest.mark.django_db
def test_a_forged_line_stays_inside_its_field():
    forged = 'done"}\n{"sequence": 2, "action": "approval.approve'
    audit.append("x", actor=SYSTEM, reason=forged)

    assert AuditRecord.objects.get().reason == forged
    assert audit.verify().records == 1


# Nobody changes it


@pytest.mark.django_db
def test_the_code_refuses_to_change_or_delete_a_record():
    fill(1)
    record = AuditRecord.objects.get()

    for attempt in (record.save, record.delete, AuditRecord.objects.all().delete):
        with pytest.raises(AppendOnlyError, match="never changed"):
            attempt()
    with pytest.raises(AppendOnlyError):
        AuditRecord.objects.filter(sequence=1).update(reason="Because not.")
    with pytest.raises(AppendOnlyError):
        AuditRecord.objects.bulk_update([record], ["reason"])


CHANGES = {
    "update": "UPDATE policy_auditrecord SET reason = 'Because not.'",
    "delete": "DELETE FROM policy_auditrecord",
    "replace": "INSERT OR REPLACE INTO policy_auditrecord SELECT * FROM policy_auditrecord WHERE sequence = 1",
    "upsert": "INSERT INTO policy_auditrecord SELECT * FROM policy_auditrecord WHERE sequence = 1 "
    "ON CONFLICT (sequence) DO UPDATE SET reason = 'Because not.'",
    "truncate": "TRUNCATE policy_auditrecord",
    "set the head back": "UPDATE policy_audithead SET sequence = 1",
    "change the head": "UPDATE policy_audithead SET hash = 'x'",
    "delete the head": "DELETE FROM policy_audithead",
    "replace the head": "INSERT OR REPLACE INTO policy_audithead VALUES (1, 0, 'x')",
    "truncate the head": "TRUNCATE policy_audithead",
}
ONLY = {"sqlite": {"replace", "replace the head"}, "postgresql": {"truncate", "truncate the head"}}


@pytest.mark.django_db
def test_the_database_refuses_every_change():
    fill(2)
    spoken = set(CHANGES) - set().union(*(names for vendor, names in ONLY.items() if vendor != connection.vendor))

    for name in spoken:
        with (
            pytest.raises(DatabaseError, match=r"append-only|only moves forward|never (deleted|replaced)"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(CHANGES[name])

    assert len(spoken) >= 8
    assert audit.verify().records == 2


@pytest.mark.django_db
def test_a_second_head_is_refused():
    with pytest.raises(IntegrityError), transaction.atomic():
        AuditHead.objects.create(id=2, sequence=0, hash=audit.GENESIS)


@pytest.mark.django_db
def test_without_its_head_nothing_is_recorded_and_so_nothing_changes():
    fill(1)
    execute("DELETE FROM policy_audithead")

    with pytest.raises(AuditError, match="head"), transaction.atomic():
        audit.append("x", actor=SYSTEM)


@pytest.mark.django_db
def test_an_empty_log_begins_anew():
    execute("DELETE FROM policy_audithead")
    assert audit.verify().ok

    fill(1)

    assert audit.verify().records == 1


@pytest.mark.django_db(transaction=True)
def test_eight_writers_at_once_lose_nothing():
    failures = []

    def write() -> None:
        try:
            for _ in range(10):
                fill(1)
        except Exception as error:  # noqa: BLE001 - told below
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    result = audit.verify()
    assert (result.ok, result.records) == (True, 80), result.message


@pytest.mark.django_db
def test_a_clock_that_was_set_back_orders_nothing():
    first = audit.append("drill", actor=Actor.system("test"))
    with time_machine.travel(first.at - timedelta(days=1), tick=False):
        second = audit.append("drill", actor=Actor.system("test"))

    assert second.at < first.at
    assert second.sequence == first.sequence + 1
    assert audit.verify().ok
