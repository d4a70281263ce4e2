"""Fourteen ways to falsify the log, each with and without what was kept outside the database.

Ten records; checkpoints seal the first five and all ten. `alone` is what the chain itself shows, `sealed` what the
checkpoints add: None means that the falsification stays unseen.
"""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.db.utils import DatabaseError
from django.utils import timezone

from policy import audit, members, tokens
from policy.actors import Actor
from policy.audit import crosscheck, reading
from policy.errors import AuditError
from tests.factories import ApiTokenFactory, ApprovalFactory, MembershipFactory, ProjectFactory, UserFactory
from tests.policy.tampering import copy, execute, fill, move, rehash, set_head
from tests.policy.test_approvals import decide

pytestmark = pytest.mark.django_db


@pytest.fixture
def seals(settings, tmp_path):
    """Where this test's checkpoints go; the key is made on the way."""
    settings.DATA_DIR = tmp_path
    return tmp_path / "audit-checkpoints"


@pytest.fixture
def sealed_log(seals):
    fill(5)
    audit.write_checkpoint()
    fill(5)
    audit.write_checkpoint()
    return seals


def edit_a_field() -> None:
    execute("UPDATE policy_auditrecord SET reason = 'Forged.' WHERE sequence = 4")


def edit_and_hash_that_record() -> None:
    edit_a_field()
    rehash(4, 4)


def edit_and_hash_the_whole_tail() -> None:
    edit_a_field()
    rehash(4, head=True)


def delete_in_the_middle() -> None:
    execute("DELETE FROM policy_auditrecord WHERE sequence = 4")


def delete_in_the_middle_and_close_the_gap() -> None:
    delete_in_the_middle()
    for sequence in range(5, 11):
        move(sequence, sequence - 1)
    rehash(4, head=True)


def delete_the_tail() -> None:
    execute("DELETE FROM policy_auditrecord WHERE sequence > 8")


def delete_the_tail_and_set_the_head_back() -> None:
    delete_the_tail()
    set_head(8)


def delete_the_first() -> None:
    execute("DELETE FROM policy_auditrecord WHERE sequence = 1")


def delete_the_first_and_begin_at_the_second() -> None:
    delete_the_first()
    execute("UPDATE policy_auditrecord SET previous_hash = %s WHERE sequence = 2", audit.GENESIS)


def insert_one() -> None:
    for sequence in range(10, 4, -1):
        move(sequence, sequence + 1)
    copy(4, 5)


def append_one_past_the_product() -> None:
    copy(10, 11)
    rehash(11)


def swap_two() -> None:
    move(4, 99)
    move(5, 4)
    move(99, 5)


def duplicate_at_the_end() -> None:
    copy(10, 11)


def move_to_another_project() -> None:
    execute("UPDATE policy_auditrecord SET project = 'bank' WHERE sequence = 4")


def swap_the_projects_of_two() -> None:
    execute("UPDATE policy_auditrecord SET project = CASE sequence WHEN 4 THEN 'bank' ELSE 'shop' END")


def restore_an_old_backup() -> None:
    execute("DELETE FROM policy_auditrecord WHERE sequence > 5")
    set_head(5)


def restore_an_old_backup_and_go_on() -> None:
    restore_an_old_backup()
    fill(7)


def show_another_log_from_the_eighth_on() -> None:
    execute("DELETE FROM policy_auditrecord WHERE sequence > 7")
    set_head(7)
    fill(3, project="bank")


def set_a_time_back() -> None:
    execute("UPDATE policy_auditrecord SET at = '2020-01-01 00:00:00' WHERE sequence = 10")


def change_who_it_was() -> None:
    execute("UPDATE policy_auditrecord SET actor = 'anna', actor_kind = 'human' WHERE sequence = 10")


def delete_everything() -> None:
    execute("DELETE FROM policy_auditrecord")
    execute("DELETE FROM policy_audithead")


@dataclass(frozen=True)
class Case:
    tamper: Callable[[], None]
    alone: int | None
    sealed: int | None


CASES = [
    Case(edit_a_field, 4, 4),  # 1
    Case(edit_and_hash_that_record, 5, 5),  # 2
    Case(edit_and_hash_the_whole_tail, None, 1),  # 3
    Case(delete_in_the_middle, 4, 4),  # 4
    Case(delete_in_the_middle_and_close_the_gap, None, 1),
    Case(delete_the_tail, 9, 9),  # 5
    Case(delete_the_tail_and_set_the_head_back, None, 9),
    Case(delete_the_first, 1, 1),  # 6
    Case(delete_the_first_and_begin_at_the_second, 1, 1),
    Case(insert_one, 5, 5),  # 7
    Case(append_one_past_the_product, 11, 11),
    Case(swap_two, 4, 4),  # 8
    Case(duplicate_at_the_end, 11, 11),  # 9
    Case(move_to_another_project, 4, 4),  # 10
    Case(swap_the_projects_of_two, 4, 4),
    Case(restore_an_old_backup, None, 6),  # 11
    Case(restore_an_old_backup_and_go_on, None, 6),
    Case(show_another_log_from_the_eighth_on, None, 6),  # 12
    Case(set_a_time_back, 10, 10),
    Case(change_who_it_was, 10, 10),
    Case(delete_everything, None, 1),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.tamper.__name__)
def test_a_falsified_log_is_found_where_it_was_falsified(case, sealed_log):
    case.tamper()

    alone = audit.verify()
    sealed = audit.verify(checkpoints=sealed_log)

    assert (alone.ok, alone.first_broken) == (case.alone is None, case.alone), alone.message
    assert (sealed.ok, sealed.first_broken) == (case.sealed is None, case.sealed), sealed.message
    assert not sealed.ok


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.tamper.__name__)
def test_an_export_of_a_falsified_log_shows_the_same(case, sealed_log, tmp_path):
    case.tamper()
    file = tmp_path / "log.jsonl"
    audit.export_audit(file)

    alone = audit.verify(export=file)
    sealed = audit.verify(export=file, checkpoints=sealed_log)

    # Records beyond the head are not exported at all.
    beyond_the_head = case.tamper in (append_one_past_the_product, duplicate_at_the_end)
    assert alone.ok == (case.alone is None or beyond_the_head), alone.message
    assert sealed.ok == beyond_the_head, sealed.message


def test_a_whole_log_passes_with_and_without_checkpoints(sealed_log):
    fill(2)

    assert audit.verify().ok
    sealed = audit.verify(checkpoints=sealed_log)
    assert (sealed.ok, sealed.records, sealed.sealed) == (True, 12, 10)


def test_a_head_that_was_kept_shows_a_tail_that_was_rewritten_or_cut(sealed_log):
    kept = reading.stored_head()
    assert audit.verify(kept=[kept]).ok

    edit_and_hash_the_whole_tail()
    assert audit.verify(kept=[kept]).first_broken == 10
    delete_the_tail_and_set_the_head_back()
    assert audit.verify(kept=[kept]).first_broken == 9


def test_a_log_that_goes_on_after_a_kept_head_is_whole():
    fill(3)
    kept = reading.stored_head()
    fill(3)

    assert audit.verify(kept=[kept]).ok
    assert audit.verify(kept=[reading.Head.parse(str(kept))]).ok


# 12: two views of one number


def test_two_checkpoints_that_disagree_on_one_record_are_found(sealed_log, tmp_path):
    first_view = tmp_path / "kept"
    shutil.copytree(sealed_log, first_view)
    (sealed_log / "00000002.json").unlink()
    show_another_log_from_the_eighth_on()
    audit.write_checkpoint()
    assert audit.verify(checkpoints=sealed_log).ok, "the second view is whole by itself"

    shutil.copy(sealed_log / "00000002.json", first_view / "other-view.json")
    both = audit.verify(checkpoints=first_view, public_key=tmp_path / "audit-key.pub")

    assert not both.ok
    assert "two logs were shown" in both.message


def test_nothing_is_sealed_over_a_rewritten_past(sealed_log):
    edit_and_hash_the_whole_tail()
    fill(1)

    with pytest.raises(AuditError, match="no longer holds record 10"):
        audit.write_checkpoint()


# 13: checkpoints


def change(file, **fields):
    envelope = json.loads(file.read_text())
    file.chmod(0o600)
    file.write_text(json.dumps({**envelope, **fields}))


def test_a_checkpoint_with_a_bad_signature_is_refused(sealed_log):
    other = json.loads((sealed_log / "00000001.json").read_text())
    change(sealed_log / "00000002.json", payload=other["payload"])

    result = audit.verify(checkpoints=sealed_log)

    assert not result.ok
    assert "bad signature" in result.message


def test_a_checkpoint_of_an_unknown_key_is_refused(sealed_log, tmp_path, settings):
    settings.DATA_DIR = tmp_path / "elsewhere"
    settings.DATA_DIR.mkdir()
    audit.write_checkpoint()

    result = audit.verify(checkpoints=settings.DATA_DIR / "audit-checkpoints", public_key=tmp_path / "audit-key.pub")

    assert not result.ok
    assert "unknown key" in result.message


EMPTY_ENVELOPE = '{"payload": "e30=", "payloadType": "x", "signatures": []}'


@pytest.mark.parametrize(
    "content",
    ["", "{}", "[]", "null", '{"payload": 1}', "\xff", EMPTY_ENVELOPE],
)
def test_a_checkpoint_that_is_none_is_refused(sealed_log, content):
    file = sealed_log / "00000002.json"
    file.chmod(0o600)
    file.write_text(content)

    assert not audit.verify(checkpoints=sealed_log).ok


@pytest.mark.parametrize("number", [1, 2])
def test_a_checkpoint_that_is_missing_in_between_is_missed(sealed_log, number):
    fill(1)
    audit.write_checkpoint()
    (sealed_log / f"0000000{number}.json").unlink()

    result = audit.verify(checkpoints=sealed_log)

    assert not result.ok
    assert f"Checkpoint {number} is missing" in result.message


def test_a_folder_without_checkpoints_proves_nothing(tmp_path):
    fill(1)

    assert not audit.verify(checkpoints=tmp_path).ok


def test_hours_without_a_checkpoint_are_found_where_a_limit_is_given(seals):
    fill(1)
    later = timezone.now() + timedelta(hours=3)
    assert not audit.verify(max_gap=timedelta(0)).ok, "nothing seals the newest record"

    audit.write_checkpoint(now=later)

    assert audit.verify(checkpoints=seals).ok
    result = audit.verify(checkpoints=seals, max_gap=timedelta(hours=2))
    assert (result.ok, result.first_broken) == (False, 1)
    assert audit.verify(checkpoints=seals, max_gap=timedelta(hours=4)).ok


def test_a_checkpoint_is_written_every_thousand_records_or_hour(seals):
    now = timezone.now()
    assert audit.write_checkpoint_if_due(now) is None
    fill(1)
    assert audit.write_checkpoint_if_due(now) is None
    assert audit.write_checkpoint_if_due(now + timedelta(hours=1, minutes=1)).name == "00000001.json"
    assert audit.write_checkpoint_if_due(now + timedelta(hours=9)) is None, "nothing new"
    fill(1000)
    assert audit.write_checkpoint_if_due(now + timedelta(hours=1, minutes=2)).name == "00000002.json"
    assert audit.verify(checkpoints=seals).sealed == 1001


def test_a_checkpoint_is_written_once_and_the_key_is_private(sealed_log, tmp_path):
    assert audit.write_checkpoint() is None
    assert [file.name for file in sorted(sealed_log.iterdir())] == ["00000001.json", "00000002.json"]
    assert (tmp_path / "audit-key").stat().st_mode & 0o777 == 0o600
    assert (sealed_log / "00000001.json").stat().st_mode & 0o777 == 0o444


# 14: state without a record


def unexplained() -> list[str]:
    check = crosscheck.CrossCheck()
    assert audit.verify(watch=check.see).ok
    return list(check.unexplained())


def test_what_came_in_through_the_product_is_explained():
    project, root = ProjectFactory(), Actor.for_command(UserFactory(is_superuser=True))
    anna = UserFactory()
    members.grant(project, anna, "operator", by=root)
    members.grant(project, anna, "approver", by=root)
    tokens.create(anna, may_approve=True)
    approval = ApprovalFactory(project=project)
    decide(approval, anna)
    audit.append(
        "approval.approve",
        actor=Actor.for_session(anna, {}),
        payload_digest=approval.digest,
        after={"approval": str(approval.pk)},
    )

    assert unexplained() == []


def test_a_decision_without_a_record_is_found():
    project, root = ProjectFactory(), Actor.for_command(UserFactory(is_superuser=True))
    anna = UserFactory()
    members.grant(project, anna, "approver", by=root)
    decide(ApprovalFactory(project=project), anna)

    assert [line for line in unexplained() if "Decision" in line]


def test_a_role_without_a_record_is_found():
    MembershipFactory(user__username="anna", project__slug="shop", role="admin")

    assert unexplained() == ["anna is admin in shop without a record."]


def test_a_role_that_was_raised_without_a_record_is_found():
    project, anna = ProjectFactory(slug="shop"), UserFactory(username="anna")
    membership = members.grant(project, anna, "viewer", by=Actor.for_shell())
    type(membership).objects.update(role="admin")

    assert unexplained() == ["anna is admin in shop without a record."]


def test_a_role_that_was_taken_away_and_is_back_without_a_record_is_found():
    project, anna = ProjectFactory(slug="shop"), UserFactory(username="anna")
    membership = members.grant(project, anna, "viewer", by=Actor.for_shell())
    members.remove(membership, by=Actor.for_shell())
    MembershipFactory(project=project, user=anna, role="viewer")

    assert unexplained() == ["anna is viewer in shop without a record."]


def test_a_token_that_was_widened_without_a_record_is_found():
    token, _ = tokens.create(UserFactory())
    type(token).objects.update(may_approve=True)
    ApiTokenFactory()

    assert len(unexplained()) == 2


def test_missing_guards_are_found():
    with connection.cursor() as cursor:
        cursor.execute(
            "DROP TRIGGER policy_auditrecord_no_update"
            if connection.vendor == "sqlite"
            else "ALTER TABLE policy_auditrecord DISABLE TRIGGER policy_auditrecord_no_change"
        )

    assert unexplained() == ["The database no longer refuses changes to policy_auditrecord: its triggers are missing."]


# Exports


@pytest.fixture
def export(sealed_log, tmp_path):
    file = tmp_path / "log.jsonl"
    audit.export_audit(file)
    return file


def test_an_export_is_verified_by_itself_and_against_the_database(export, sealed_log):
    result = audit.verify(export=export, checkpoints=sealed_log)
    assert (result.ok, result.records) == (True, 10)

    edit_and_hash_the_whole_tail()
    assert audit.verify(kept=[reading.exported_head(export)]).first_broken == 10


def lines_of(export):
    return export.read_text().splitlines(keepends=True)


@pytest.mark.parametrize(
    "falsify",
    [
        lambda lines: lines[:-1],
        lambda lines: lines[:3] + lines[4:],
        lambda lines: [*lines[:3], lines[3].replace("Because", "Forged"), *lines[4:]],
        lambda lines: [*lines[:3], lines[3], *lines[3:]],
        lambda lines: [*lines, lines[0]],
        lambda lines: ["[]\n", *lines],
        lambda lines: ["{}\n", *lines],
        lambda lines: ["not json\n", *lines],
        lambda lines: [lines[0].replace('"sequence": 1', '"sequence": "1"'), *lines[1:]],
        lambda lines: [lines[0].replace('"sequence": 1', '"sequence": true'), *lines[1:]],
        lambda lines: [lines[0].replace('"count": 0', '"count": NaN'), *lines[1:]],
        lambda lines: [],
    ],
)
def test_a_falsified_export_is_refused(export, falsify):
    export.write_text("".join(falsify(lines_of(export))))

    assert not audit.verify(export=export).ok


def test_an_export_replaces_an_older_one_whole(export):
    fill(1)
    audit.export_audit(export)

    assert audit.verify(export=export).records == 11
    assert [file.name for file in export.parent.iterdir() if file.name.startswith(".")] == []


# Reading


def test_a_log_longer_than_a_page_is_walked_to_its_end():
    fill(reading.PAGE * 2 + 1)

    assert audit.verify().records == reading.PAGE * 2 + 1


def test_the_records_of_one_project_are_counted_and_all_are_walked():
    fill(2)
    fill(3, project="bank")
    assert audit.verify("bank").records == 3

    execute("UPDATE policy_auditrecord SET reason = 'Forged.' WHERE sequence = 1")
    assert not audit.verify("bank").ok


def test_the_newest_records_are_checked_alone_for_a_page():
    fill(20)
    assert audit.verify_tail(5).records == 5
    assert audit.verify_tail(100).records == 20

    execute("UPDATE policy_auditrecord SET reason = 'Forged.' WHERE sequence = 10")
    assert audit.verify_tail(5).ok
    assert audit.verify_tail(11).first_broken == 10


@pytest.mark.parametrize("column", ["at", "after"])
def test_a_value_that_can_not_be_read_is_named(column):
    fill(3)
    falsify = f'UPDATE policy_auditrecord SET "{column}" = %s WHERE sequence = 2'

    if connection.vendor == "postgresql":
        with pytest.raises(DatabaseError), transaction.atomic():
            execute(falsify, "nonsense {")
    else:
        execute("PRAGMA ignore_check_constraints = ON")
        execute(falsify, "nonsense {")
        result = audit.verify()
        assert (result.ok, result.first_broken) == (False, 2), result.message
