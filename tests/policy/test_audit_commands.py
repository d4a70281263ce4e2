"""verify_audit and export_audit: what they say, and how they end."""

import io
import json
import stat

import pytest
from django.core.management import CommandError, call_command

from tests.factories import ProjectFactory, member
from tests.policy.tampering import execute, fill
from tests.policy.test_commands import refuse, run

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _own_data_folder(settings, tmp_path):
    settings.DATA_DIR = tmp_path / "data"
    settings.DATA_DIR.mkdir()


def test_a_whole_log_is_said_to_be_whole():
    fill(3)

    out, err = run("verify_audit")

    assert out.startswith("The audit log is whole: 3 records, head 3:")
    assert err == ""


def test_an_empty_log_is_whole():
    assert "0 records" in run("verify_audit")[0]


def test_a_broken_log_ends_with_two_and_names_the_first_record():
    fill(5)
    execute("UPDATE policy_auditrecord SET reason = 'Forged.' WHERE sequence = 3")

    refusal = refuse("verify_audit")

    assert refusal.returncode == 2
    assert str(refusal) == "The audit log is broken. Record 3 was changed: its hash is not that of its content."


def test_the_result_as_json():
    fill(3)
    out, _ = run("verify_audit", "--json")
    assert (json.loads(out)["ok"], json.loads(out)["records"]) == (True, 3)

    execute("UPDATE policy_auditrecord SET reason = 'Forged.' WHERE sequence = 3")
    out = io.StringIO()
    with pytest.raises(CommandError):
        call_command("verify_audit", "--json", stdout=out)
    assert (json.loads(out.getvalue())["ok"], json.loads(out.getvalue())["first_broken"]) == (False, 3)


def test_state_without_a_record_is_a_broken_log():
    member(ProjectFactory(slug="website"), "admin", username="anna")

    refusal = refuse("verify_audit")

    assert refusal.returncode == 2
    assert "anna is admin in website without a record" in str(refusal)


def test_an_export_is_verified_where_it_is_and_its_head_later(tmp_path):
    fill(3)
    file = tmp_path / "log.jsonl"
    out, _ = run("export_audit", str(file))
    assert "Exported 3 records" in out
    assert stat.S_IMODE(file.stat().st_mode) == 0o600

    assert "3 records" in run("verify_audit", "--export", str(file))[0]
    fill(2)
    assert "5 records" in run("verify_audit", "--head", str(file))[0]
    assert "5 records" in run("verify_audit", "--head", out.split("head ")[1].rstrip(".\n"))[0]

    file.write_text(file.read_text().replace("Because", "Forged", 1))
    assert refuse("verify_audit", "--export", str(file)).returncode == 2


def test_checkpoints_of_the_data_folder_are_used_unless_told_otherwise():
    fill(3)
    assert run("verify_audit", "--seal")[1] == ""
    assert "up to record 3" in run("verify_audit")[0]
    assert "up to record" not in run("verify_audit", "--no-checkpoints")[0]

    execute("DELETE FROM policy_auditrecord WHERE sequence = 3")
    execute("UPDATE policy_audithead SET sequence = 2, hash = (SELECT hash FROM policy_auditrecord WHERE sequence = 2)")
    assert "its tail was cut off" in str(refuse("verify_audit")).lower()
    assert "2 records" in run("verify_audit", "--no-checkpoints")[0]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--export", "/no/such"],
        ["--checkpoints", "/no/such"],
        ["--head", "nonsense"],
        ["--head", "1:abc"],
        ["--public-key", "/no"],
    ],
)
def test_options_that_lead_nowhere_are_said_to(arguments):
    fill(1)

    assert refuse("verify_audit", *arguments).returncode == 1


def test_an_export_that_can_not_be_written_says_so(tmp_path):
    fill(1)

    assert "can't be written" in str(refuse("export_audit", str(tmp_path / "no" / "such" / "folder.jsonl")))


def test_an_export_of_a_log_without_its_head_is_refused(tmp_path):
    fill(1)
    execute("DELETE FROM policy_audithead")

    assert refuse("export_audit", str(tmp_path / "log.jsonl")).returncode == 2
    assert not list(tmp_path.glob("*log*"))
