"""Who may do what: roles, strangers, people who were removed."""

import pytest
from django.contrib.auth.models import AnonymousUser

from policy import access
from policy.actors import Actor
from policy.errors import NotAllowed, NotVisible
from policy.models import Membership
from policy.models.access import Role
from tests.factories import ApiTokenFactory, ProjectFactory, UserFactory, member

pytestmark = pytest.mark.django_db

MAY = {
    Role.VIEWER: {"view"},
    Role.OPERATOR: {"view", "launch"},
    Role.APPROVER: {"view", "launch", "decide"},
    Role.ADMIN: {"view", "launch", "decide", "manage"},
}


@pytest.mark.parametrize("role", Role.values)
def test_a_role_may_do_what_the_ones_before_it_may_and_more(role):
    project = ProjectFactory()
    user = member(project, role)

    allowed = set()
    for permission in access.Permission:
        try:
            access.require(user, permission, project)
            allowed.add(str(permission))
        except NotAllowed:
            pass

    assert allowed == MAY[Role(role)]


@pytest.mark.parametrize("permission", list(access.Permission))
def test_a_stranger_finds_nothing_whatever_is_asked(permission):
    ours, theirs = ProjectFactory(), ProjectFactory()
    stranger = member(theirs, Role.ADMIN)

    with pytest.raises(NotVisible):
        access.require(stranger, permission, ours)


def test_a_low_role_is_told_who_can_do_it():
    project = ProjectFactory()

    with pytest.raises(NotAllowed, match="an admin can do it") as refusal:
        access.require(member(project, Role.OPERATOR), "manage", project)

    assert refusal.value.details == {"permission": "manage", "role": "operator"}


def test_nobody_who_is_not_signed_in_has_a_role():
    project = ProjectFactory()
    member(project)

    assert access.role_of(AnonymousUser(), project) is None
    assert not access.visible_projects(AnonymousUser()).exists()


def test_a_deactivated_member_loses_everything_at_once():
    project = ProjectFactory()
    user = member(project, Role.ADMIN)
    remembered = Actor.for_command(user)
    user.is_active = False
    user.save()

    assert access.role_of(user, project) is None
    assert access.role_of(remembered, project) is None
    assert not access.visible_projects(user).exists()
    assert user not in access.members_with_role(project)


def test_a_role_taken_away_is_gone_for_an_actor_made_before():
    project = ProjectFactory()
    user = member(project, Role.APPROVER)
    actor = Actor.for_session(user, {})
    Membership.objects.filter(user=user).update(role=Role.VIEWER)

    with pytest.raises(NotAllowed):
        access.require(actor, "decide", project)


def test_a_superuser_acts_as_admin_of_every_project():
    project = ProjectFactory()
    root = UserFactory(is_superuser=True)

    assert access.role_of(root, project) == Role.ADMIN
    assert list(access.visible_projects(root)) == [project]
    assert root in access.members_with_role(project, Role.ADMIN)


def test_who_was_superuser_when_the_actor_was_made_is_asked_again():
    project = ProjectFactory()
    actor = Actor.for_command(UserFactory(is_superuser=True))
    type(UserFactory()).objects.filter(pk=actor.user_id).update(is_superuser=False)

    assert access.role_of(actor, project) is None


def test_the_product_itself_has_no_role_and_the_shell_has_all():
    project = ProjectFactory()

    assert access.role_of(Actor.system("worker"), project) is None
    assert access.role_of(Actor.for_shell(), project) == Role.ADMIN
    assert list(access.visible_projects(Actor.for_shell())) == [project]


def test_a_token_acts_with_the_role_of_its_person():
    project = ProjectFactory()
    token = ApiTokenFactory(user=member(project, Role.VIEWER))

    assert access.role_of(Actor.for_token(token), project) == Role.VIEWER


def test_people_see_the_projects_they_belong_to_and_no_other():
    first, second, _ = ProjectFactory.create_batch(3)
    user = member(first, Role.VIEWER)
    Membership.objects.create(project=second, user=user, role=Role.ADMIN)

    assert set(access.visible_projects(user)) == {first, second}


def test_members_with_a_role_or_more():
    project = ProjectFactory()
    viewer, approver, admin = (member(project, role) for role in (Role.VIEWER, Role.APPROVER, Role.ADMIN))
    member(ProjectFactory(), Role.ADMIN)

    assert set(access.members_with_role(project)) == {viewer, approver, admin}
    assert set(access.members_with_role(project, Role.APPROVER)) == {approver, admin}
    assert not access.members_with_role(project, "emperor").exists()


def test_an_unknown_permission_is_a_mistake_and_never_a_yes():
    project = ProjectFactory()
    admin = member(project, Role.ADMIN)

    with pytest.raises(ValueError, match="fly"):
        access.require(admin, "fly", project)


def test_each_question_is_one_statement(django_assert_num_queries):
    project = ProjectFactory()
    user = member(project)

    with django_assert_num_queries(1):
        access.require(user, "launch", project)
    with django_assert_num_queries(1):
        list(access.visible_projects(user))
    with django_assert_num_queries(1):
        list(access.members_with_role(project))
