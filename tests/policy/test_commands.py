"""The management commands: what they print, how they end, and what they leave on record."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from policy import secrets, tokens
from policy.models import ApiToken, AuditRecord, EnvProfile, Membership, Project, Secret
from tests.factories import ProjectFactory, UserFactory, member

pytestmark = pytest.mark.django_db
PASSWORD = "a long enough passphrase"


@pytest.fixture(autouse=True)
def _own_data_folder(settings, tmp_path):
    settings.DATA_DIR = tmp_path / "data"
    settings.DATA_DIR.mkdir()


def run(name, *arguments, stdin=None, monkeypatch=None):
    out, err = io.StringIO(), io.StringIO()
    if stdin is not None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
    call_command(name, *arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def refuse(name, *arguments, **more):
    with pytest.raises(CommandError) as refusal:
        run(name, *arguments, **more)
    return refusal.value


@pytest.mark.parametrize(
    "name",
    [
        "create_user",
        "create_project",
        "add_member",
        "create_api_token",
        "set_secret",
        "set_env_profile",
        "verify_audit",
        "export_audit",
    ],
)
def test_help_shows_an_example(name, capsys):
    with pytest.raises(SystemExit) as end:
        call_command(name, "--help")

    assert end.value.code == 0
    assert f"manage.py {name}" in capsys.readouterr().out


# create_user


def test_a_person_is_made_who_can_sign_in(monkeypatch, client):
    out, err = run(
        "create_user",
        "anna",
        "--email",
        "anna@example.org",
        "--password-stdin",
        stdin=PASSWORD + "\n",
        monkeypatch=monkeypatch,
    )

    assert (out, err) == ("Created person anna.\n", "")
    assert client.login(username="anna", password=PASSWORD)
    record = AuditRecord.objects.get()
    assert (record.action, record.after["admin"], record.actor_kind) == ("user.created", False, "command")
    assert PASSWORD not in str(record.__dict__)


def test_an_administrator_may_do_everything():
    run("create_user", "root", "--admin")

    root = User.objects.get()
    assert (root.is_staff, root.is_superuser) == (True, True)


def test_without_a_password_nobody_signs_in_and_the_command_says_what_to_do():
    out, _ = run("create_user", "anna")

    assert "changepassword anna" in out
    assert not User.objects.get().has_usable_password()


@pytest.mark.parametrize(
    ("arguments", "stdin", "sentence"),
    [
        (["anna", "--password-stdin"], "short\n", "password is too weak"),
        (["anna", "--password-stdin"], "", "password is too weak"),
        (["anna b", "--password-stdin"], PASSWORD, "valid username"),
        (["", "--password-stdin"], PASSWORD, "username"),
        (["anna", "--email", "nonsense"], "", "valid email"),
        (["x" * 151], "", "username"),
    ],
)
def test_a_person_who_makes_no_sense_is_refused_in_a_sentence(monkeypatch, arguments, stdin, sentence):
    refusal = refuse("create_user", *arguments, stdin=stdin, monkeypatch=monkeypatch)

    assert sentence in str(refusal)
    assert not User.objects.exists()
    assert not AuditRecord.objects.exists()


def test_a_name_that_is_taken_is_refused():
    UserFactory(username="anna")

    assert "already" in str(refuse("create_user", "Anna"))


def test_a_second_account_of_one_person_is_warned_about():
    UserFactory(email="anna@example.org")

    _, err = run("create_user", "anna2", "--email", "Anna@example.org")

    assert "count as one person" in err


def test_only_a_superuser_makes_accounts_for_somebody_named():
    UserFactory(username="anna")
    UserFactory(username="root", is_superuser=True)

    assert "superuser" in str(refuse("create_user", "new", "--user", "anna"))
    run("create_user", "new", "--user", "root")
    assert AuditRecord.objects.get().actor == "root"


# create_project


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "repository"
    (folder / ".git").mkdir(parents=True)
    return folder


def test_a_project_is_made_on_a_folder_whose_identity_is_recorded(repository):
    out, _ = run("create_project", "website", "--path", str(repository), "--name", "Web site")

    project = Project.objects.get()
    assert out == f"Created project website on {repository}.\n"
    assert (project.name, project.path) == ("Web site", str(repository))
    assert (project.device, int(project.inode)) == (repository.stat().st_dev, repository.stat().st_ino)
    assert AuditRecord.objects.get().action == "project.created"


def test_a_path_is_resolved_before_it_is_stored(repository, tmp_path):
    (tmp_path / "link").symlink_to(repository)

    run("create_project", "website", "--path", str(tmp_path / "link" / ".." / "repository"))

    assert Project.objects.get().path == str(repository)


@pytest.mark.parametrize(
    ("path", "sentence"),
    [("/", "root"), ("/etc", "system"), ("/proc/self", "system"), ("/tmp", "system"), ("/no/such/place", "no folder")],
)
def test_a_folder_that_is_none_of_a_project_is_refused(path, sentence):
    assert sentence in str(refuse("create_project", "website", "--path", path))
    assert not Project.objects.exists()


def test_a_file_and_a_home_and_our_own_data_are_refused(tmp_path, settings, monkeypatch):
    file = tmp_path / "file"
    file.touch()
    assert "not a folder" in str(refuse("create_project", "website", "--path", str(file)))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    for folder in (tmp_path / "home", settings.DATA_DIR, tmp_path):
        refuse("create_project", "website", "--path", str(folder))

    assert not Project.objects.exists()


def test_a_folder_inside_or_around_that_of_another_project_is_refused(repository, tmp_path):
    run("create_project", "website", "--path", str(repository))
    inner = repository / "inner"
    inner.mkdir()
    (tmp_path / "sibling").mkdir()
    (tmp_path / "repository-2").mkdir()
    (tmp_path / "link").symlink_to(inner)

    for folder in (repository, inner, tmp_path / "link"):
        assert "overlaps the folder of project website" in str(refuse("create_project", "other", "--path", str(folder)))
    run("create_project", "sibling", "--path", str(tmp_path / "sibling"))
    run("create_project", "same-beginning", "--path", str(tmp_path / "repository-2"))


@pytest.mark.parametrize("slug", ["Web", "web site", "", "w" * 64, "web/../x", "web\n"])
def test_a_slug_that_is_none_is_refused(repository, slug):
    assert "slug" in str(refuse("create_project", slug, "--path", str(repository)))


def test_a_slug_that_is_taken_is_refused(repository):
    ProjectFactory(slug="website")

    assert "already exists" in str(refuse("create_project", "website", "--path", str(repository)))


# add_member


def test_a_member_is_added_and_the_role_changed_on_record():
    project = ProjectFactory(slug="website")
    UserFactory(username="anna")

    out, _ = run("add_member", "website", "anna", "--role", "operator")
    run("add_member", "website", "anna", "--role", "admin", "--reason", "She leads now.")
    run("add_member", "website", "anna", "--role", "admin")

    assert out == "anna is operator in website.\n"
    assert Membership.objects.get(project=project).role == "admin"
    changed = AuditRecord.objects.get(action="member.changed")
    assert (changed.before["role"], changed.after["role"], changed.reason) == ("operator", "admin", "She leads now.")
    assert AuditRecord.objects.count() == 2, "the third call changed nothing"


def test_only_an_admin_of_the_project_adds_members():
    project = ProjectFactory(slug="website")
    UserFactory(username="ben")
    member(project, "approver", username="anna")

    refusal = refuse("add_member", "website", "ben", "--role", "viewer", "--user", "anna")

    assert "an admin can do it" in str(refusal)
    assert Membership.objects.count() == 1


def test_who_and_where_are_looked_up_and_named_when_missing():
    ProjectFactory(slug="website")
    UserFactory(username="gone", is_active=False)

    assert "there are: website" in str(refuse("add_member", "webiste", "anna", "--role", "viewer"))
    assert "'anna'" in str(refuse("add_member", "website", "anna", "--role", "viewer"))
    assert "'gone'" in str(refuse("add_member", "website", "gone", "--role", "viewer"))
    assert "invalid choice" in str(refuse("add_member", "website", "anna", "--role", "emperor"))


# create_api_token


def test_the_token_is_printed_alone_and_works():
    UserFactory(username="anna")

    out, err = run("create_api_token", "anna", "--may-approve", "--name", "ci", "--expires-days", "90")

    assert err == ""
    assert out.count("\n") == 1
    token = tokens.authenticate(out.strip())
    assert (token.user.username, token.may_approve, token.name) == ("anna", True, "ci")
    assert token.expires_at is not None


def test_a_token_for_somebody_else_needs_a_superuser():
    UserFactory(username="anna")
    UserFactory(username="ben")

    assert "somebody else" in str(refuse("create_api_token", "anna", "--user", "ben"))
    run("create_api_token", "ben", "--user", "ben")
    assert ApiToken.objects.get().user.username == "ben"


def test_a_token_for_nobody_is_refused():
    assert "no active person" in str(refuse("create_api_token", "anna"))


# set_env_profile


def test_a_profile_is_set_and_removed_by_command(monkeypatch):
    project = ProjectFactory(slug="website")
    run("set_env_profile", "website", "ci", "--env", "CI=1", "--secret", "NPM_TOKEN", monkeypatch=monkeypatch)
    held = EnvProfile.objects.get(project=project)
    assert (held.name, held.env, held.secrets) == ("ci", {"CI": "1"}, ["NPM_TOKEN"])
    refuse("set_env_profile", "website", "Ci", monkeypatch=monkeypatch)
    run("set_env_profile", "website", "ci", "--remove", monkeypatch=monkeypatch)
    assert not EnvProfile.objects.exists()


# set_secret


def test_a_secret_is_read_from_standard_input_and_not_shown(monkeypatch):
    project = ProjectFactory(slug="website")

    out, err = run("set_secret", "website", "API_KEY", stdin="hunter2-hunter2\n", monkeypatch=monkeypatch)

    assert (out, err) == ("Set secret API_KEY in website.\n", "")
    assert secrets.reveal(project, ["API_KEY"]) == {"API_KEY": "hunter2-hunter2"}


def test_a_short_secret_is_warned_about(monkeypatch):
    ProjectFactory(slug="website")

    _, err = run("set_secret", "website", "PIN", stdin="1234", monkeypatch=monkeypatch)

    assert "not redacted" in err
    assert "1234" not in err


@pytest.mark.parametrize(("name", "value"), [("pin", "long-enough"), ("PIN", ""), ("PIN", "\n")])
def test_a_secret_that_makes_no_sense_is_refused(monkeypatch, name, value):
    ProjectFactory(slug="website")

    refuse("set_secret", "website", name, stdin=value, monkeypatch=monkeypatch)

    assert not Secret.objects.exists()


# From outside, as a script sees it


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    """A data folder with an empty database, and how to call manage.py on it."""
    folder = tmp_path_factory.mktemp("installation")
    (folder / "broken.jsonl").write_text("nonsense\n")
    own = {"CCDASH_DATA_DIR": str(folder / "data"), "DATABASE_URL": "", "DJANGO_SETTINGS_MODULE": "ccdash.settings"}

    def manage(*arguments, stdin=b""):
        return subprocess.run(
            [sys.executable, str(Path.cwd() / "manage.py"), *arguments],
            cwd=folder,
            env={**os.environ, **own},
            input=stdin,
            capture_output=True,
            timeout=120,
            check=False,
        )

    assert manage("migrate", "--verbosity", "0").returncode == 0
    return manage


@pytest.mark.parametrize(
    ("arguments", "stdin", "code", "sentence"),
    [
        (["create_api_token", "nobody"], b"", 1, "There is no active person 'nobody'."),
        (["set_secret", "nowhere", "KEY"], b"x", 1, "There is no project 'nowhere'"),
        (["create_user", "anna", "--password-stdin"], b"\xff\xfe", 1, "not UTF-8"),
        (["verify_audit", "--export", "broken.jsonl"], b"", 2, "Line 1 of broken.jsonl is not JSON."),
    ],
)
def test_a_failure_is_one_sentence_on_standard_error(installation, arguments, stdin, code, sentence):
    done = installation(*arguments, stdin=stdin)

    assert (done.returncode, done.stdout) == (code, b"")
    assert sentence in done.stderr.decode()
    assert done.stderr.count(b"\n") == 1, done.stderr.decode()
