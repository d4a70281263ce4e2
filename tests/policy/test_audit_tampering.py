"""Fourteen ways to falsify the log, each with and without what was kept outside the database.

Ten records; checkpoints seal the first five and all ten. `alone` is what the chain itself shows, `sealed` what the
checkpoints add: None means that the falsification stays unseen.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from policy import audit
from policy.audit import reading
from policy.errors import AuditError
from tests.policy.tampering import copy, execute, fill, move, rehash, seal_twice, set_head

pytestmark = pytest.mark.django_db


@pytest.fixture
def sealed_log(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    return seal_twice()


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
