"""Django admin: what may be changed is allowed, refused and recorded as elsewhere."""

import pytest
from django.contrib.auth.models import Group, User
from django.urls import reverse

from policy import members, secrets, tokens
from policy.actors import Actor
from policy.models import ApiToken, AuditRecord, Membership, Project, Rule, Secret
from policy.models.access import Role
from tests.factories import ProjectFactory, UserFactory
from tests.policy.test_admin import auth_page, page, staff

pytestmark = pytest.mark.django_db


@pytest.fixture
def root(client):
    user = UserFactory(username="root", is_staff=True, is_superuser=True)
    client.force_login(user)
    return user


# Rules


def rule_form(**changed):
    return {
        "project": "",
        "name": "no-friday",
        "description": "Nothing is deployed on Fridays.",
        "condition": "environment == 'production'",
        "verdict": "deny",
        "risk": "high",
        "approvers": "[]",
        "enabled": "on",
        "reason": "Agreed in the team.",
        **changed,
    }


def test_a_rule_is_written_and_on_record(client, root):
    project = ProjectFactory()

    assert client.post(page(Rule, "add"), rule_form(project=project.pk)).status_code == 302

    rule = Rule.objects.get()
    assert (rule.version, rule.current, rule.created_by, rule.project) == (1, True, root, project)
    record = AuditRecord.objects.get(action="rule.created")
    assert (record.actor, record.reason, record.after["verdict"]) == ("root", "Agreed in the team.", "deny")
    project.refresh_from_db()
    assert project.rules_revision == 2


def test_saving_a_rule_again_writes_a_new_version_and_keeps_the_old(client, root):
    project = ProjectFactory()
    client.post(page(Rule, "add"), rule_form(project=project.pk))
    first = Rule.objects.get()

    answer = client.post(
        page(Rule, "change", first.pk), rule_form(verdict="require_approval", approvers='["role:admin"]')
    )

    assert answer.status_code == 302
    assert list(Rule.objects.order_by("version").values_list("version", "current", "verdict")) == [
        (1, False, "deny"),
        (2, True, "require_approval"),
    ]
    record = AuditRecord.objects.get(action="rule.changed")
    assert (record.before["verdict"], record.after["verdict"]) == ("deny", "require_approval")
    assert client.get(page(Rule)).context["cl"].result_count == 1
    assert client.get(page(Rule) + "?versions=all").context["cl"].result_count == 2


def test_an_old_version_is_shown_and_not_changed(client, root):
    client.post(page(Rule, "add"), rule_form())
    first = Rule.objects.get()
    client.post(page(Rule, "change", first.pk), rule_form(verdict="allow"))

    assert client.get(page(Rule, "change", first.pk)).status_code == 200
    assert client.post(page(Rule, "change", first.pk), rule_form(verdict="deny")).status_code == 403
    assert client.post(page(Rule, "delete", first.pk), {"post": "yes"}).status_code == 403


@pytest.mark.parametrize(
    "wrong",
    [
        {"condition": "environment =="},
        {"condition": "nonsense == 1"},
        {"condition": ""},
        {"approvers": '["role:emperor"]'},
        {"approvers": '["anna"]'},
        {"approvers": '{"role": "admin"}'},
        {"approvers": "[1]"},
        {"verdict": "maybe"},
        {"name": "No Friday"},
    ],
)
def test_a_rule_that_makes_no_sense_comes_back_with_the_field_marked(client, root, wrong):
    answer = client.post(page(Rule, "add"), rule_form(**wrong))

    assert answer.status_code == 200
    assert answer.context["adminform"].form.errors.keys() == wrong.keys()
    assert not Rule.objects.exists()


def test_a_rule_for_all_projects_renews_them_all(client, root):
    ProjectFactory.create_batch(2)

    client.post(page(Rule, "add"), rule_form())

    assert set(Project.objects.values_list("rules_revision", flat=True)) == {2}


def test_staff_may_write_no_rule_past_their_role(client):
    project = ProjectFactory()
    staff(client, "add_rule", "change_rule", "view_rule", project=project, role=Role.OPERATOR)

    for target in (project.pk, ""):
        answer = client.post(page(Rule, "add"), rule_form(project=target), follow=True)
        assert "role" in answer.content.decode() or "superuser" in answer.content.decode()

    assert not Rule.objects.exists()
    assert AuditRecord.objects.filter(outcome="refused").count() == 2


# Projects, members, tokens, secrets


def test_a_role_changed_here_is_on_record(client, root):
    project = ProjectFactory(slug="shop")
    anna = UserFactory(username="anna")

    client.post(page(Membership, "add"), {"project": project.pk, "user": anna.pk, "role": "operator"})
    membership = Membership.objects.get()
    client.post(page(Membership, "change", membership.pk), {"role": "approver"})
    client.post(page(Membership, "delete", membership.pk), {"post": "yes"})

    told = AuditRecord.objects.order_by("sequence").values_list("action", "actor", "after__role")
    assert list(told) == [
        ("member.added", "root", "operator"),
        ("member.changed", "root", "approver"),
        ("member.removed", "root", None),
    ]
    assert not Membership.objects.exists()


def test_a_member_is_not_moved_to_another_project_or_person(client, root):
    membership = members.grant(ProjectFactory(), UserFactory(), "viewer", by=Actor.for_shell())

    client.post(page(Membership, "change", membership.pk), {"role": "viewer", "project": ProjectFactory().pk})

    membership.refresh_from_db()
    assert membership.project.slug != Project.objects.latest("pk").slug


def test_staff_give_no_role_in_a_project_that_is_not_theirs(client):
    theirs, other = ProjectFactory(), ProjectFactory()
    staff(client, "add_membership", "view_membership", "view_user", project=theirs)
    friend = UserFactory()

    client.post(page(Membership, "add"), {"project": other.pk, "user": friend.pk, "role": "admin"})

    assert not Membership.objects.filter(user=friend).exists()


def test_limits_of_a_project_are_changed_on_record_and_its_folder_is_not(client, root, tmp_path):
    project = ProjectFactory(slug="shop", max_active_runs=100)
    form = {"name": "Shop", "max_active_runs": 3, "max_running_steps": 5, "path": str(tmp_path), "slug": "other"}

    assert client.post(page(Project, "change", project.pk), form).status_code == 302

    changed = Project.objects.get()
    assert (changed.slug, changed.path, changed.max_active_runs) == ("shop", project.path, 3)
    record = AuditRecord.objects.get(action="project.changed")
    assert (record.before["max_active_runs"], record.after["max_active_runs"]) == (100, 3)


def test_a_project_added_here_is_looked_at_as_closely_as_by_command(client, root, tmp_path):
    form = {"slug": "shop", "name": "Shop", "max_active_runs": 3, "max_running_steps": 5}

    answer = client.post(page(Project, "add"), {**form, "path": "/etc"}, follow=True)
    assert "belongs to the system" in answer.content.decode()
    assert not Project.objects.exists()

    folder = tmp_path / "shop"
    folder.mkdir()
    client.post(page(Project, "add"), {**form, "path": str(folder)})
    assert Project.objects.get().inode is not None


def test_tokens_are_shown_without_their_hash_and_revoked_on_record(client, root):
    token, raw = tokens.create(UserFactory())

    for shown in (client.get(page(ApiToken)), client.get(page(ApiToken, "change", token.pk))):
        assert token.token_hash not in shown.content.decode()
        assert raw not in shown.content.decode()
    client.post(page(ApiToken), {"action": "revoke", "_selected_action": [token.pk]})

    assert tokens.authenticate(raw) is None
    assert AuditRecord.objects.get(action="token.revoked").actor == "root"


def test_secrets_are_names_only_and_removed_on_record(client, root, settings, tmp_path):
    settings.DATA_DIR = tmp_path
    secret = secrets.set_secret(ProjectFactory(), "API_KEY", "hunter2-hunter2", Actor.for_shell())

    shown = client.get(page(Secret, "change", secret.pk)).content.decode()
    assert "hunter2" not in shown
    assert "ciphertext" not in shown
    client.post(page(Secret, "delete", secret.pk), {"post": "yes"})

    assert not Secret.objects.exists()
    assert AuditRecord.objects.get(action="secret.removed").actor == "root"


# Accounts


def test_a_right_given_to_an_account_is_on_record(client, root):
    anna = UserFactory(username="anna")
    leads = Group.objects.create(name="release leads")
    form = {
        "username": "anna",
        "email": anna.email,
        "is_active": "on",
        "is_superuser": "on",
        "groups": [leads.pk],
        "date_joined_0": "2026-01-01",
        "date_joined_1": "00:00:00",
    }

    assert client.post(auth_page(User, "change", anna.pk), form).status_code == 302

    record = AuditRecord.objects.get(action="user.changed")
    assert (record.before["is_superuser"], record.after["is_superuser"]) == (False, True)
    assert (record.before["groups"], record.after["groups"]) == ([], ["release leads"])


def test_an_account_added_given_a_password_and_removed_here_is_on_record(client, root):
    form = {
        "username": "anna",
        "usable_password": "true",
        "password1": "a long passphrase",
        "password2": "a long passphrase",
    }
    assert client.post(auth_page(User, "add"), form).status_code == 302
    anna = User.objects.get(username="anna")

    url = reverse("admin:auth_user_password_change", args=[anna.pk])
    changed = {"usable_password": "true", "password1": "another long phrase", "password2": "another long phrase"}
    assert client.post(url, changed).status_code == 302
    client.post(auth_page(User, "delete", anna.pk), {"post": "yes"})

    told = list(AuditRecord.objects.order_by("sequence").values_list("action", flat=True))
    assert told == ["user.created", "user.password_set", "user.removed"]
    assert "passphrase" not in str(list(AuditRecord.objects.values()))


def test_a_group_renamed_here_is_on_record(client, root):
    group = Group.objects.create(name="leads")

    client.post(auth_page(Group, "change", group.pk), {"name": "release leads"})

    record = AuditRecord.objects.get(action="group.changed")
    assert (record.before["name"], record.after["name"]) == ("leads", "release leads")
