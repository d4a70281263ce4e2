"""State that no record tells of: rights and decisions that came in past the product (the fourteenth way)."""

import pytest
from django.db import connection

from policy import audit, members, tokens
from policy.actors import Actor
from policy.audit import crosscheck
from tests.factories import ApiTokenFactory, ApprovalFactory, MembershipFactory, ProjectFactory, UserFactory
from tests.policy.test_approvals import decide

pytestmark = pytest.mark.django_db


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
