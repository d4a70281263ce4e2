"""Django admin: facts are read-only for everybody, changes are allowed, refused and recorded as elsewhere."""

import csv
import io
import json

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission, User
from django.urls import reverse

from policy import audit, members, secrets, tokens
from policy.actors import Actor
from policy.admin.reading import harmless
from policy.models import ApiToken, Approval, AuditRecord, Decision, Membership, Project, Rule, Secret
from policy.models.access import Role
from tests.factories import ApprovalFactory, ProjectFactory, UserFactory, member
from tests.policy.tampering import execute, fill
from tests.policy.test_approvals import decide

pytestmark = pytest.mark.django_db
FACTS = (Approval, Decision, AuditRecord)
OURS = (*FACTS, Rule, Project, Membership, ApiToken, Secret, User, Group)


@pytest.fixture
def root(client):
    user = UserFactory(username="root", is_staff=True, is_superuser=True)
    client.force_login(user)
    return user


@pytest.fixture
def decided(root):
    """An approval with a decision and a record of it."""
    project = ProjectFactory(slug="shop")
    approval = ApprovalFactory(project=project, title="Apply migration", requested_by=root)
    decide(approval, member(project, Role.APPROVER, username="anna"))
    fill(3, project="shop")
    return approval


def page(model, view="changelist", *arguments):
    return reverse(f"admin:policy_{model._meta.model_name}_{view}", args=arguments)


def auth_page(model, view, *arguments):
    return reverse(f"admin:auth_{model._meta.model_name}_{view}", args=arguments)


def staff(client, *codenames, project=None, role=Role.ADMIN):
    user = member(project, role, is_staff=True) if project else UserFactory(is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client.force_login(user)
    return user


@pytest.mark.parametrize("model", OURS)
def test_every_list_can_be_read_searched_and_ordered(client, decided, model):
    url = auth_page(model, "changelist") if model in (User, Group) else page(model)

    for query in ("", "?q=shop", "?o=1", "?o=-2"):
        assert client.get(url + query).status_code == 200


@pytest.mark.parametrize("model", FACTS)
def test_facts_can_be_opened_and_not_added_changed_or_deleted_even_by_a_superuser(client, decided, model):
    row = model.objects.first()
    before = list(model.objects.values())

    assert client.get(page(model, "change", row.pk)).status_code == 200
    assert client.get(page(model, "add")).status_code == 403
    assert client.post(page(model, "add"), {}).status_code == 403
    assert client.post(page(model, "change", row.pk), {"state": "approved", "reason": "x"}).status_code == 403
    assert client.get(page(model, "delete", row.pk)).status_code == 403
    assert client.post(page(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    chosen = {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"}
    client.post(page(model), chosen)

    assert list(model.objects.values()) == before


@pytest.mark.parametrize("model", FACTS)
def test_facts_have_no_actions(root, rf, model):
    request = rf.get("/")
    request.user = root

    assert admin.site.get_model_admin(model).get_actions(request) == {}


@pytest.mark.parametrize("model", OURS)
def test_who_is_not_staff_sees_nothing(client, model):
    client.force_login(UserFactory())
    url = auth_page(model, "changelist") if model in (User, Group) else page(model)

    assert client.get(url).status_code == 302


# The audit log


def test_the_state_of_the_chain_stands_on_top(client, root):
    fill(3)
    assert "Chain whole." in client.get(page(AuditRecord)).content.decode()

    execute("UPDATE policy_auditrecord SET reason = 'Forged.' WHERE sequence = 2")
    shown = client.get(page(AuditRecord)).content.decode()
    assert "Chain broken." in shown
    assert "Record 2 was changed" in shown


def test_records_are_filtered_by_what_they_tell_of(client, root):
    fill(2, project="shop")
    fill(1, project="bank")

    assert client.get(page(AuditRecord) + "?project=bank").context["cl"].result_count == 1
    assert client.get(page(AuditRecord) + "?q=run:1").context["cl"].result_count == 1
    assert client.get(page(AuditRecord) + "?actor_kind=human").context["cl"].result_count == 0


def test_what_a_record_holds_is_shown_as_text(client, root):
    audit.append("x", actor=Actor.system("<script>alert(1)</script>"), reason="<img src=x onerror=alert(1)>")

    shown = client.get(page(AuditRecord)).content.decode()

    assert "<img src=x" not in shown
    assert "<script>alert" not in shown


def exported(client, model, form, query=""):
    response = client.get(page(model, "export", form) + query)
    assert response.status_code == 200
    assert response["Content-Disposition"].startswith("attachment")
    return b"".join(response.streaming_content).decode()


def test_the_list_is_exported_as_it_is_filtered(client, root):
    fill(2, project="shop")
    fill(1, project="bank")

    rows = list(csv.DictReader(io.StringIO(exported(client, AuditRecord, "csv", "?project=shop"))))
    assert [row["project"] for row in rows] == ["shop", "shop"]
    assert set(rows[0]) == {field.name for field in AuditRecord._meta.concrete_fields}
    assert len(json.loads(exported(client, AuditRecord, "json"))) == 3


@pytest.mark.parametrize("model", FACTS)
@pytest.mark.parametrize("form", ["csv", "json"])
def test_every_kind_of_fact_is_exported(client, decided, model, form):
    assert exported(client, model, form)


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", '=HYPERLINK("http://x")', {"a": "=1"}, ["=1"]]
)
def test_no_cell_is_a_formula(text):
    assert harmless(text)[0] not in "=+-@\t\r\n"


def test_a_formula_in_a_record_is_exported_as_text(client, root):
    audit.append("x", actor=Actor.system("worker"), reason='=cmd|"/c calc"!A1', subject="@x")

    (row,) = csv.DictReader(io.StringIO(exported(client, AuditRecord, "csv")))

    assert (row["reason"], row["subject"]) == ('\'=cmd|"/c calc"!A1', "'@x")


def test_an_export_that_is_not_known_is_refused(client, root):
    assert client.get(page(AuditRecord, "export", "xml")).status_code == 404
    assert client.get(page(AuditRecord, "export", "csv") + "?nonsense__x=1").status_code == 400


def test_an_auditor_sees_and_exports_the_facts_of_their_projects_only(client, decided):
    bank = ProjectFactory(slug="bank")
    ApprovalFactory(project=bank, title="Of the bank")
    fill(2, project="bank")
    fill(1, project="")
    staff(client, "view_auditrecord", "view_approval", "view_decision", project=bank, role=Role.VIEWER)

    assert {row["project"] for row in json.loads(exported(client, AuditRecord, "json"))} == {"bank"}
    assert [row["title"] for row in json.loads(exported(client, Approval, "json"))] == ["Of the bank"]
    assert json.loads(exported(client, Decision, "json")) == []
    assert client.get(page(Approval, "change", decided.pk)).status_code == 302


def test_staff_without_the_permission_export_nothing(client):
    staff(client, "view_rule")

    assert client.get(page(AuditRecord, "export", "csv")).status_code == 403


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


@pytest.mark.parametrize("model", [AuditRecord, Approval, Decision, Rule, Membership, ApiToken])
def test_a_long_list_takes_no_more_statements_than_a_short_one(client, decided, model, django_assert_max_num_queries):
    fill(50)
    for number in range(20):
        approval = ApprovalFactory(project=decided.project)
        decide(approval, member(decided.project, Role.APPROVER))
        tokens.create(UserFactory(), name=str(number))

    with django_assert_max_num_queries(16):
        client.get(page(model))
