"""Who may decide, whose word counts, and when it stops counting."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.contrib.auth.models import Group

from policy import approvals
from policy.actors import Actor, mark_signed_in
from policy.approvals import ApprovalSpec
from policy.errors import (
    AlreadyDecided,
    Conflict,
    HumanPresenceRequired,
    Invalid,
    NotAnApprover,
    NotPending,
    NotVisible,
    ReasonRequired,
    RecentSignInRequired,
    SelfApproval,
    StaleDigest,
)
from policy.models import Decision, Membership
from policy.models.access import Role
from tests.factories import ApiTokenFactory, ApprovalFactory, MembershipFactory, ProjectFactory, UserFactory, member

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
DIGEST = "d" * 64


@pytest.fixture
def project():
    return ProjectFactory()


def session(user, signed_in=None):
    store = {}
    if signed_in:
        mark_signed_in(store, signed_in)
    return Actor.for_session(user, store)


def decide(approval, user, decision="approve", **changed):
    what = {"decision": decision, "reason": "Looked at it.", "digest": approval.digest, **changed}
    return approvals.record_decision(approval, **{"actor": user and session(user), **what})


# Who is asked


def test_the_role_named_and_those_above_it_may_decide(project):
    for role in (Role.VIEWER, Role.OPERATOR):
        member(project, role)
    approver, admin = member(project, Role.APPROVER), member(project, Role.ADMIN)

    assert set(approvals.eligible_users(ApprovalSpec(), project)) == {approver, admin}
    assert set(approvals.eligible_users(ApprovalSpec(("role:admin",)), project)) == {admin}


def test_people_and_groups_are_asked_by_name_if_they_belong_to_the_project(project):
    anna, ben = member(project, Role.VIEWER, username="anna"), member(project, Role.OPERATOR)
    stranger = UserFactory(username="stranger")
    leads = Group.objects.create(name="release leads")
    leads.user_set.add(ben, stranger)

    assert set(approvals.eligible_users(ApprovalSpec(("user:anna", "user:stranger")), project)) == {anna}
    assert set(approvals.eligible_users(ApprovalSpec(("group:release leads",)), project)) == {ben}
    assert set(approvals.eligible_users(ApprovalSpec(("user:anna", "group:release leads")), project)) == {anna, ben}


@pytest.mark.parametrize("entry", ["role:emperor", "role:", "nobody", "", "group:", "user:"])
def test_an_entry_that_names_nothing_known_asks_nobody(project, entry):
    member(project, Role.ADMIN)

    assert not approvals.eligible_users(ApprovalSpec((entry,)), project).exists()


def test_a_superuser_is_asked_as_an_admin_would_be(project):
    root = UserFactory(is_superuser=True)

    assert root in approvals.eligible_users(ApprovalSpec(), project)


def test_who_was_deactivated_is_not_asked(project):
    member(project, Role.APPROVER, is_active=False)

    assert not approvals.eligible_users(ApprovalSpec(), project).exists()


def test_who_asked_for_it_is_left_out_under_every_account_of_theirs(project):
    asker = member(project, Role.ADMIN, email="anna@example.org")
    member(project, Role.APPROVER, email=" Anna@Example.org ")
    other = member(project, Role.APPROVER)

    assert set(approvals.eligible_users(ApprovalSpec(), project, [asker.pk])) == {other}


def test_people_without_an_address_are_different_people(project):
    asker = member(project, Role.ADMIN, email="")
    other = member(project, Role.APPROVER, email="")

    assert set(approvals.eligible_users(ApprovalSpec(), project, [asker.pk])) == {other}


def test_a_gate_says_how_many_people_it_lacks(project):
    asker = member(project, Role.ADMIN)
    member(project, Role.APPROVER, email="ben@example.org")
    spec = ApprovalSpec(quorum=2)

    assert approvals.missing_eligible(spec, project, [asker.pk]) == 1
    member(project, Role.APPROVER, email="BEN@example.org")
    assert approvals.missing_eligible(spec, project, [asker.pk]) == 1, "two accounts, one person"
    member(project, Role.APPROVER)
    assert approvals.missing_eligible(spec, project, [asker.pk]) == 0


# Deciding


def test_an_approver_decides_on_what_was_shown(project):
    anna = member(project, Role.APPROVER)
    approval = ApprovalFactory(project=project)

    decision = decide(approval, anna, reason="  Read the diff.  ", now=NOON)

    assert (decision.user, decision.decision, decision.reason) == (anna, "approve", "Read the diff.")
    assert (decision.digest, decision.via, decision.at) == (DIGEST, "session", NOON)
    assert approvals.is_satisfied(approval)


def test_who_asked_for_it_does_not_decide_it(project):
    anna = member(project, Role.ADMIN)

    with pytest.raises(SelfApproval):
        decide(ApprovalFactory(project=project, excluded=[anna.pk]), anna)


def test_a_second_account_of_the_one_who_asked_does_not_decide_it(project):
    anna = member(project, Role.OPERATOR, email="anna@example.org")
    second = member(project, Role.APPROVER, email="ANNA@example.org")

    with pytest.raises(SelfApproval):
        decide(ApprovalFactory(project=project, excluded=[anna.pk]), second)


def test_a_member_who_is_not_named_does_not_decide(project):
    with pytest.raises(NotAnApprover, match="role:approver"):
        decide(ApprovalFactory(project=project), member(project, Role.OPERATOR))


def test_a_stranger_does_not_learn_that_there_is_anything_to_decide(project):
    stranger = member(ProjectFactory(), Role.ADMIN)

    for state in ("pending", "approved"):
        with pytest.raises(NotVisible):
            decide(ApprovalFactory(project=project, state=state), stranger)


@pytest.mark.parametrize("may_approve", [True, False])
def test_a_token_decides_only_where_it_was_issued_for_that(project, may_approve):
    token = ApiTokenFactory(user=member(project, Role.APPROVER), may_approve=may_approve)
    approval = ApprovalFactory(project=project)

    if may_approve:
        assert decide(approval, token.user, actor=Actor.for_token(token)).via == "token"
    else:
        with pytest.raises(HumanPresenceRequired):
            decide(approval, token.user, actor=Actor.for_token(token))


@pytest.mark.parametrize("actor", [Actor.system("worker"), Actor.for_shell()], ids=["system", "shell"])
def test_nobody_in_particular_decides_nothing(project, actor):
    with pytest.raises(HumanPresenceRequired):
        decide(ApprovalFactory(project=project), None, actor=actor)


@pytest.mark.parametrize(
    ("signed_in", "accepted"),
    [
        (NOON, True),
        (NOON - timedelta(minutes=15), True),
        (NOON - timedelta(minutes=15, seconds=1), False),
        (None, False),
    ],
)
def test_an_elevated_decision_needs_a_recent_sign_in(project, signed_in, accepted):
    anna = member(project, Role.APPROVER, last_login=NOON)
    approval = ApprovalFactory(project=project, level="elevated")

    if accepted:
        assert decide(approval, anna, actor=session(anna, signed_in), now=NOON)
    else:
        with pytest.raises(RecentSignInRequired):
            decide(approval, anna, actor=session(anna, signed_in), now=NOON)


@pytest.mark.parametrize(
    "make", [Actor.for_command, lambda user: Actor.for_token(ApiTokenFactory(user=user, may_approve=True))]
)
def test_without_a_session_the_last_sign_in_of_the_person_counts_for_elevated_decisions(project, make):
    approval = ApprovalFactory(project=project, level="elevated")
    lately, long_ago = (
        member(project, Role.APPROVER, last_login=NOON - timedelta(minutes=minutes)) for minutes in (5, 60)
    )

    with pytest.raises(RecentSignInRequired):
        decide(approval, long_ago, actor=make(long_ago), now=NOON)
    assert decide(approval, lately, actor=make(lately), now=NOON)


def test_the_second_press_changes_nothing(project):
    anna = member(project, Role.APPROVER)
    approval = ApprovalFactory(project=project, quorum=2)
    decide(approval, anna)

    for decision in ("approve", "reject"):
        with pytest.raises(AlreadyDecided):
            decide(approval, anna, decision)

    assert approval.decisions.count() == 1


def test_a_second_account_of_one_who_has_decided_adds_nothing(project):
    approval = ApprovalFactory(project=project, quorum=2)
    decide(approval, member(project, Role.APPROVER, email="anna@example.org"))

    with pytest.raises(AlreadyDecided):
        decide(approval, member(project, Role.APPROVER, email="Anna@example.org"))

    assert not approvals.is_satisfied(approval)


@pytest.mark.parametrize("state", ["approved", "rejected", "expired", "revoked", "superseded", "consumed"])
def test_what_is_settled_is_not_decided_again(project, state):
    with pytest.raises(NotPending) as refusal:
        decide(ApprovalFactory(project=project, state=state), member(project, Role.APPROVER))

    assert isinstance(refusal.value, Conflict)
    assert refusal.value.details == {"state": state}


def test_after_its_time_nothing_is_decided_even_if_nobody_has_swept_yet(project):
    approval = ApprovalFactory(project=project, expires_at=NOON)
    anna = member(project, Role.APPROVER)

    with pytest.raises(NotPending, match="time"):
        decide(approval, anna, now=NOON)
    assert decide(approval, anna, now=NOON - timedelta(seconds=1))


@pytest.mark.parametrize("digest", ["e" * 64, "", "d" * 12, "D" * 64, "é"])
def test_a_stale_page_decides_nothing(project, digest):
    with pytest.raises(StaleDigest) as refusal:
        decide(ApprovalFactory(project=project), member(project, Role.APPROVER), digest=digest)

    assert refusal.value.details == {"digest": DIGEST}
    assert not Decision.objects.exists()


@pytest.mark.parametrize("reason", ["", "   ", "\n\t"])
def test_a_decision_needs_a_reason(project, reason):
    with pytest.raises(ReasonRequired):
        decide(ApprovalFactory(project=project), member(project, Role.APPROVER), reason=reason)


@pytest.mark.parametrize("changed", [{"reason": "x" * 4001}, {"decision": "maybe"}, {"decision": ""}])
def test_nonsense_is_refused(project, changed):
    with pytest.raises(Invalid):
        decide(ApprovalFactory(project=project), member(project, Role.APPROVER), **changed)

    assert not Decision.objects.exists()


# What counts


def test_a_quorum_is_different_people(project):
    approval = ApprovalFactory(project=project, quorum=2)
    decide(approval, member(project, Role.APPROVER))
    assert not approvals.is_satisfied(approval)

    decide(approval, member(project, Role.ADMIN))
    assert approvals.is_satisfied(approval)


def test_a_no_is_not_counted_as_a_yes(project):
    approval = ApprovalFactory(project=project)
    decide(approval, member(project, Role.APPROVER), "reject")

    assert not approvals.is_satisfied(approval)


def lose_role(user):
    Membership.objects.filter(user=user).update(role=Role.OPERATOR)


def leave(user):
    Membership.objects.filter(user=user).delete()


def be_deactivated(user):
    user.is_active = False
    user.save()


@pytest.mark.parametrize("loses_the_right", [lose_role, leave, be_deactivated])
def test_who_lost_the_right_after_the_click_counts_no_more(project, loses_the_right):
    anna = member(project, Role.APPROVER)
    approval = ApprovalFactory(project=project)
    decide(approval, anna)

    loses_the_right(anna)

    assert approvals.counted_decisions(approval) == []


def test_who_turns_out_to_have_asked_counts_no_more(project):
    anna = member(project, Role.APPROVER)
    approval = ApprovalFactory(project=project)
    decide(approval, anna)
    approval.excluded = [anna.pk]

    assert not approvals.is_satisfied(approval)


def test_two_who_turn_out_to_be_one_person_count_once(project):
    approval = ApprovalFactory(project=project, quorum=2)
    anna, second = member(project, Role.APPROVER), member(project, Role.APPROVER)
    decide(approval, anna)
    decide(approval, second)
    second.email = anna.email.upper()
    second.save()

    assert [decision.user for decision in approvals.counted_decisions(approval)] == [anna]


def test_a_decision_counts_only_for_the_digest_it_was_made_on(project):
    approval = ApprovalFactory(project=project)
    decide(approval, member(project, Role.APPROVER))
    approval.digest = "e" * 64

    assert not approvals.is_satisfied(approval)


def test_counting_is_one_statement_however_many_decided(project, django_assert_num_queries):
    approval = ApprovalFactory(project=project, quorum=5)
    for _ in range(5):
        decide(approval, member(project, Role.APPROVER))

    with django_assert_num_queries(1):
        assert approvals.is_satisfied(approval)


def test_a_membership_in_another_project_gives_no_right_here(project):
    anna = member(project, Role.VIEWER)
    MembershipFactory(user=anna, role=Role.ADMIN)

    with pytest.raises(NotAnApprover):
        decide(ApprovalFactory(project=project), anna)


def test_the_time_of_a_decision_is_now_where_nothing_is_said(project):
    with time_machine.travel(NOON, tick=False):
        assert decide(ApprovalFactory(project=project), member(project, Role.APPROVER)).at == NOON
