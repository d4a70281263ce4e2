"""Secrets: encrypted at rest, bound to their place, never shown again."""

import pytest
from cryptography.fernet import Fernet

from policy import secrets
from policy.actors import Actor
from policy.errors import Invalid, NotAllowed, NotVisible, SecretMissing, SecretUnreadable
from policy.models import AuditRecord, Secret
from policy.models.access import Role
from tests.factories import ProjectFactory, UserFactory, member

pytestmark = pytest.mark.django_db
VALUE = "hunter2-hunter2"


@pytest.fixture(autouse=True)
def _own_data_folder(settings, tmp_path):
    settings.DATA_DIR = tmp_path


@pytest.fixture
def project():
    return ProjectFactory()


@pytest.fixture
def admin(project):
    return Actor.for_command(member(project, Role.ADMIN))


def test_a_value_comes_back_by_name_for_the_worker(project, admin):
    secrets.set_secret(project, "API_KEY", VALUE, admin)
    secrets.set_secret(project, "OTHER", "x" * 20, admin)

    assert secrets.reveal(project, ["API_KEY"]) == {"API_KEY": VALUE}
    assert secrets.reveal_all(project) == {"API_KEY": VALUE, "OTHER": "x" * 20}
    assert secrets.reveal(project, []) == {}


def test_the_database_and_the_log_do_not_hold_the_value(project, admin):
    secrets.set_secret(project, "API_KEY", VALUE, admin)

    row, record = Secret.objects.get(), AuditRecord.objects.get()

    assert VALUE.encode() not in bytes(row.ciphertext)
    assert VALUE not in str(record.__dict__)
    assert (record.action, record.after, record.project) == ("secret.created", {"name": "API_KEY"}, project.slug)


def test_setting_again_replaces_and_is_on_record(project, admin):
    secrets.set_secret(project, "API_KEY", VALUE, admin)
    secrets.set_secret(project, "API_KEY", "another-value", admin)

    assert secrets.reveal(project, ["API_KEY"]) == {"API_KEY": "another-value"}
    assert list(AuditRecord.objects.order_by("sequence").values_list("action", flat=True)) == [
        "secret.created",
        "secret.replaced",
    ]


def test_removing_is_on_record_and_a_second_press_finds_nothing(project, admin):
    secrets.set_secret(project, "API_KEY", VALUE, admin)
    secrets.remove_secret(project, "API_KEY", admin)

    with pytest.raises(SecretMissing):
        secrets.remove_secret(project, "API_KEY", admin)
    assert AuditRecord.objects.filter(action="secret.removed").count() == 1


def test_only_an_admin_of_the_project_sets_its_secrets(project):
    with pytest.raises(NotAllowed):
        secrets.set_secret(project, "API_KEY", VALUE, Actor.for_command(member(project, Role.APPROVER)))
    with pytest.raises(NotVisible):
        secrets.set_secret(project, "API_KEY", VALUE, Actor.for_command(UserFactory()))
    with pytest.raises(NotVisible):
        secrets.remove_secret(project, "API_KEY", Actor.for_command(UserFactory()))

    assert not Secret.objects.exists()


@pytest.mark.parametrize("name", ["", "lower", "1ST", "WITH-DASH", "WITH SPACE", "A" * 65, "PATH\n", "É"])
def test_a_name_that_is_no_variable_is_refused(project, admin, name):
    with pytest.raises(Invalid):
        secrets.set_secret(project, name, VALUE, admin)


@pytest.mark.parametrize("value", ["", "a\0b", "x" * (64 * 1024 + 1)])
def test_a_value_no_process_can_be_given_is_refused(project, admin, value):
    with pytest.raises(Invalid):
        secrets.set_secret(project, "API_KEY", value, admin)


def test_a_short_value_is_kept_and_warned_about(project, admin):
    secrets.set_secret(project, "PIN", "1234567", admin)

    assert "not redacted" in secrets.weakness("1234567")
    assert secrets.weakness(VALUE) == ""


def test_a_missing_secret_is_named(project, admin):
    secrets.set_secret(project, "API_KEY", VALUE, admin)

    with pytest.raises(SecretMissing, match="DEPLOY_KEY") as missing:
        secrets.reveal(project, ["API_KEY", "DEPLOY_KEY"])

    assert missing.value.details == {"names": ["DEPLOY_KEY"]}


def test_the_secret_of_another_project_is_not_there(project, admin):
    secrets.set_secret(project, "API_KEY", VALUE, admin)

    with pytest.raises(SecretMissing):
        secrets.reveal(ProjectFactory(), ["API_KEY"])


def test_a_row_moved_to_another_place_in_the_database_reveals_nothing(project, admin):
    secrets.set_secret(project, "API_KEY", VALUE, admin)
    theirs = ProjectFactory()
    Secret.objects.update(project=theirs)
    with pytest.raises(SecretUnreadable, match="another place"):
        secrets.reveal(theirs, ["API_KEY"])

    Secret.objects.update(project=project, name="PRINTED")
    with pytest.raises(SecretUnreadable):
        secrets.reveal(project, ["PRINTED"])
    assert secrets.reveal_all(project) == {}


def test_a_changed_ciphertext_reveals_nothing():
    stored = bytearray(secrets.encrypt(VALUE))
    stored[20] ^= 1

    with pytest.raises(SecretUnreadable):
        secrets.decrypt(bytes(stored))


def test_the_key_lies_outside_the_database_and_is_private(tmp_path):
    secrets.encrypt(VALUE)

    assert (tmp_path / "secrets-key").stat().st_mode & 0o777 == 0o600


def test_a_lost_key_is_said_to_be_lost_and_not_replaced(project, admin, tmp_path):
    secrets.set_secret(project, "API_KEY", VALUE, admin)
    (tmp_path / "secrets-key").unlink()

    with pytest.raises(SecretUnreadable, match="backup"):
        secrets.reveal(project, ["API_KEY"])
    assert not (tmp_path / "secrets-key").exists()


def test_a_new_key_in_front_encrypts_and_the_old_one_still_reads(settings):
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    settings.SECRETS_KEY = old
    stored = secrets.encrypt(VALUE, context="here")

    settings.SECRETS_KEY = f"{new},{old}"
    renewed = secrets.renew(stored)
    assert secrets.decrypt(stored, context="here") == VALUE

    settings.SECRETS_KEY = new
    assert secrets.decrypt(renewed, context="here") == VALUE
    with pytest.raises(SecretUnreadable):
        secrets.decrypt(stored, context="here")


@pytest.mark.parametrize("key", ["short", "x" * 44, "é" * 44])
def test_a_key_that_is_none_is_said_in_a_sentence_that_does_not_show_it(settings, key):
    settings.SECRETS_KEY = key

    with pytest.raises(SecretUnreadable) as refusal:
        secrets.encrypt(VALUE)

    assert key not in str(refusal.value)


@pytest.mark.parametrize("value", ["", "\n", "ünïcödé 🔑", "a\0b", "x" * 100_000])
def test_any_text_survives_encryption(value):
    assert secrets.decrypt(secrets.encrypt(value, context="c"), context="c") == value
