"""Exports of the log, and how it is read: in pages, by project, and where values can't be read."""

import pytest
from django.db import connection, transaction
from django.db.utils import DatabaseError

from policy import audit
from policy.audit import reading
from tests.policy.tampering import execute, fill, rehash, seal_twice

pytestmark = pytest.mark.django_db


@pytest.fixture
def sealed_log(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    return seal_twice()


@pytest.fixture
def export(sealed_log, tmp_path):
    file = tmp_path / "log.jsonl"
    audit.export_audit(file)
    return file


def test_an_export_is_verified_by_itself_and_against_the_database(export, sealed_log):
    result = audit.verify(export=export, checkpoints=sealed_log)
    assert (result.ok, result.records) == (True, 10)

    execute("UPDATE policy_auditrecord SET reason = 'Forged.' WHERE sequence = 4")
    rehash(4, head=True)
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
