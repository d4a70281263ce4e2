"""Rows for tests, one factory for each model. A test names what it is about and leaves the rest to these."""

from __future__ import annotations

import hashlib

import factory
from django.contrib.auth.models import User
from django.utils import timezone
from factory.django import DjangoModelFactory

from policy.models import ApiToken, Approval, Membership, Project
from policy.models.access import Role

PASSWORD = "correct horse battery staple"


class UserFactory(DjangoModelFactory[User]):
    class Meta:
        model = User
        skip_postgeneration_save = True

    username = factory.Sequence(lambda n: f"person{n}")
    email = factory.LazyAttribute(lambda user: f"{user.username}@example.org")
    password = factory.django.Password(PASSWORD)


class ProjectFactory(DjangoModelFactory[Project]):
    class Meta:
        model = Project

    slug = factory.Sequence(lambda n: f"project-{n}")
    name = factory.LazyAttribute(lambda project: project.slug.title())
    path = factory.LazyAttribute(lambda project: f"/srv/repositories/{project.slug}")


class MembershipFactory(DjangoModelFactory[Membership]):
    class Meta:
        model = Membership

    project = factory.SubFactory(ProjectFactory)
    user = factory.SubFactory(UserFactory)
    role = Role.OPERATOR


class ApiTokenFactory(DjangoModelFactory[ApiToken]):
    """`raw` is the text of the token, so that a test can use it."""

    class Meta:
        model = ApiToken
        exclude = ("raw",)

    user = factory.SubFactory(UserFactory)
    name = "script"
    raw = factory.Sequence(lambda n: f"ccd_test-token-{n:04}")
    prefix = factory.LazyAttribute(lambda token: token.raw[:12])
    token_hash = factory.LazyAttribute(lambda token: hashlib.sha256(token.raw.encode()).hexdigest())


class ApprovalFactory(DjangoModelFactory[Approval]):
    class Meta:
        model = Approval

    project = factory.SubFactory(ProjectFactory)
    subject = factory.Sequence(lambda n: f"step:{n}")
    title = "Apply migration"
    kind = "checkpoint"
    digest = "d" * 64
    approvers = ["role:approver"]
    requested_at = factory.LazyFunction(timezone.now)


def member(project: Project, role: str = Role.OPERATOR, **person: object) -> User:
    """Somebody with this role in the project."""
    return MembershipFactory(project=project, role=role, user=UserFactory(**person)).user
