"""Checkpoints: who signed them, that none is missing, and when they are written (the thirteenth way)."""

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from policy import audit
from policy.errors import AuditError
from tests.policy.tampering import fill, seal_twice

pytestmark = pytest.mark.django_db


@pytest.fixture
def seals(settings, tmp_path):
    """Where this test's checkpoints go; the key is made on the way."""
    settings.DATA_DIR = tmp_path
    return tmp_path / "audit-checkpoints"


@pytest.fixture
def sealed_log(seals):
    return seal_twice()


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


def test_each_checkpoint_is_written_once_more_where_somebody_else_keeps_it(seals, settings, tmp_path):
    kept = tmp_path / "kept"
    kept.mkdir()
    seal_twice()
    settings.AUDIT_COPY_DIR = str(kept)
    fill(2)

    audit.write_checkpoint()

    assert sorted(file.name for file in kept.iterdir()) == [
        "00000001.json", "00000002.json", "00000003.json", "audit-key.pub",
    ]  # fmt: skip
    assert audit.verify(checkpoints=kept).ok


def test_a_folder_with_the_checkpoints_of_another_log_is_refused_and_left_alone(seals, settings, tmp_path):
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "00000001.json").write_text("another log")
    settings.AUDIT_COPY_DIR = str(kept)
    fill(1)

    with pytest.raises(AuditError, match="another log"):
        audit.write_checkpoint()

    assert (kept / "00000001.json").read_text() == "another log"


def test_a_folder_that_is_gone_is_said_to_be_and_what_is_missing_comes_later(seals, settings, tmp_path):
    kept = tmp_path / "kept"
    settings.AUDIT_COPY_DIR = str(kept)
    fill(1)
    with pytest.raises(AuditError, match="can't be copied"):
        audit.write_checkpoint()

    kept.mkdir()
    audit.write_checkpoint_if_due()

    assert (kept / "00000001.json").read_bytes() == (seals / "00000001.json").read_bytes()


def test_a_folder_that_is_gone_holds_up_no_seal(seals, settings, tmp_path):
    settings.AUDIT_COPY_DIR = str(tmp_path / "gone")
    later = timezone.now() + timedelta(hours=2)
    for number in (1, 2):
        fill(1)
        with pytest.raises(AuditError, match="can't be copied"):
            audit.write_checkpoint_if_due(later + timedelta(hours=number))

    assert len(list(seals.glob("*.json"))) == 2
