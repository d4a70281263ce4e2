"""Who may do what in a project. Pages, API, sockets and commands all ask here.

Rights are read from the database at the moment they are needed, in one statement, so that a role taken away is gone
at once. A stranger is told that nothing is there; a member whose role is too low is told so.
"""

from __future__ import annotations

from enum import StrEnum

from django.contrib.auth.models import AnonymousUser, User
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery
from rules.predicates import Predicate

from policy.actors import Actor
from policy.errors import NotAllowed, NotVisible
from policy.models import Membership, Project
from policy.models.access import Role

Asker = User | AnonymousUser | Actor


class Permission(StrEnum):
    VIEW = "view"
    LAUNCH = "launch"  # write plans, start runs, pause, resume, cancel, retry, skip, replan
    DECIDE = "decide"  # approve and reject
    MANAGE = "manage"  # members, providers, secrets, rules


def _holds(role: Role) -> Predicate:
    return Predicate(lambda held: held == role, name=f"is {role}")


is_admin = _holds(Role.ADMIN)
is_approver = is_admin | _holds(Role.APPROVER)
is_operator = is_approver | _holds(Role.OPERATOR)
is_viewer = is_operator | _holds(Role.VIEWER)

PERMISSIONS: dict[Permission, Predicate] = {
    Permission.VIEW: is_viewer,
    Permission.LAUNCH: is_operator,
    Permission.DECIDE: is_approver,
    Permission.MANAGE: is_admin,
}
TOO_LOW = {
    Permission.LAUNCH: "Your role in this project does not allow this: an operator can do it.",
    Permission.DECIDE: "Your role in this project does not allow this: an approver can do it.",
    Permission.MANAGE: "Your role in this project does not allow this: an admin can do it.",
}


def role_of(asker: Asker, project: Project) -> Role | None:
    """None for strangers and for people who were deactivated; an installation's superuser is admin everywhere."""
    if isinstance(asker, Actor) and asker.owns_installation:
        return Role.ADMIN
    if (user_id := _user_id(asker)) is None:
        return None
    held = Membership.objects.filter(project=project, user=OuterRef("pk")).values("role")
    people = User.objects.filter(pk=user_id, is_active=True)
    found = people.values_list("is_superuser", Subquery(held)).first()
    if found is None:
        return None
    is_superuser, role = found
    return Role.ADMIN if is_superuser else role and Role(role)


def require(asker: Asker, permission: str, project: Project) -> Role:
    """Answer the role, or refuse. Call it before anything is read or changed on behalf of the asker."""
    role = role_of(asker, project)
    if role is None:
        raise NotVisible
    if not allows(role, permission):
        raise NotAllowed(TOO_LOW[Permission(permission)], permission=str(permission), role=str(role))
    return role


def allows(role: Role | None, permission: str) -> bool:
    """For pages that offer actions: nothing is read. An unknown permission is a mistake, never a yes."""
    return bool(PERMISSIONS[Permission(permission)].test(role))


def visible_projects(asker: Asker) -> QuerySet[Project]:
    if isinstance(asker, Actor) and asker.owns_installation:
        return Project.objects.all()
    if (user_id := _user_id(asker)) is None:
        return Project.objects.none()
    member = Membership.objects.filter(project=OuterRef("pk"), user=user_id, user__is_active=True)
    superuser = User.objects.filter(pk=user_id, is_active=True, is_superuser=True)
    return Project.objects.filter(Exists(member) | Exists(superuser))


def members_with_role(project: Project, role: str = Role.VIEWER) -> QuerySet[User]:
    """Active people who hold this role or a higher one. Superusers count as admins."""
    member = Membership.objects.filter(project=project, user=OuterRef("pk"), role__in=at_least(role))
    return User.objects.filter(Q(is_superuser=True) | Exists(member), is_active=True)


def at_least(role: str) -> list[Role]:
    """This role and all above it; nothing for a name that is no role."""
    ladder = list(Role)
    return ladder[ladder.index(Role(role)) :] if role in Role.values else []


def _user_id(asker: Asker) -> int | None:
    return asker.user_id if isinstance(asker, Actor) else asker.pk
