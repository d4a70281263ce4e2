"""A decision is a fact: the code and the database refuse to change it."""

import pytest
from django.db import connection, transaction
from django.db.utils import DatabaseError

from policy.models import Decision
from policy.models.access import Role
from policy.models.append_only import AppendOnlyError
from tests.factories import ApprovalFactory, ProjectFactory, member
from tests.policy.test_approvals import decide

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    return ProjectFactory()


def test_a_decision_is_never_changed_or_deleted(project):
    decision = decide(ApprovalFactory(project=project), member(project, Role.APPROVER))

    for attempt in (decision.save, decision.delete, Decision.objects.all().delete):
        with pytest.raises(AppendOnlyError):
            attempt()
    with pytest.raises(AppendOnlyError):
        Decision.objects.update(decision="reject")


CHANGES = {
    "update": "UPDATE policy_decision SET decision = 'reject'",
    "delete": "DELETE FROM policy_decision",
    "replace": "INSERT OR REPLACE INTO policy_decision SELECT * FROM policy_decision",
    "truncate": "TRUNCATE policy_decision",
}
KNOWN_TO = {"sqlite": ("update", "delete", "replace"), "postgresql": ("update", "delete", "truncate")}


def test_the_database_refuses_to_change_a_decision(project):
    decide(ApprovalFactory(project=project), member(project, Role.APPROVER))

    connection.check_constraints()  # PostgreSQL truncates nothing while foreign keys wait to be checked
    for name in KNOWN_TO[connection.vendor]:
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(CHANGES[name])

    assert Decision.objects.get().decision == "approve"
