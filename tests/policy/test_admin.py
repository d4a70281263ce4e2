"""Django admin: facts are read-only for everybody, changes are allowed, refused and recorded as elsewhere."""

import csv
import io
import json

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission, User
from django.urls import reverse

from policy import audit, tokens
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


@pytest.mark.parametrize("model", [AuditRecord, Approval, Decision, Rule, Membership, ApiToken])
def test_a_long_list_takes_no_more_statements_than_a_short_one(client, decided, model, django_assert_max_num_queries):
    fill(50)
    for number in range(20):
        approval = ApprovalFactory(project=decided.project)
        decide(approval, member(decided.project, Role.APPROVER))
        tokens.create(UserFactory(), name=str(number))

    with django_assert_max_num_queries(16):
        client.get(page(model))
