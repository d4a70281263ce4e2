"""Makes the demo: repository, project, people, features and workflow, all of it once.

Called by make_demo. What is there already is left as it is; rows come in one transaction, so that a start that was cut
off makes them again. Passwords are random, kept hashed in the database and readable in one file of the data folder.
"""

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.contrib.auth.models import User

from orchestration import features, plan_rules
from orchestration.demo.plan import make_plan
from orchestration.demo.repository import DemoError, build_repository
from orchestration.engine import planning
from orchestration.engine.locks import write_transaction
from orchestration.models import Workflow
from policy import audit, members, projects
from policy.actors import Actor
from policy.models import Project
from policy.models.access import Role

SLUG = "demo"
FOLDER = "demo"
FEATURE = "storm-warnings"
CREDENTIALS = "demo-credentials.txt"


@dataclass(frozen=True)
class Person:
    name: str
    role: str
    told: str
    is_admin: bool = False


PEOPLE = (
    Person("ada", Role.ADMIN, "admin: starts runs, and sees the administration pages", is_admin=True),
    Person("grace", Role.APPROVER, "approver: decides what ada's runs ask for"),
    Person("linus", Role.VIEWER, "viewer: looks on"),
)


@dataclass(frozen=True)
class Demo:
    repository: Path
    credentials: Path
    workflow: str  # the id of its workflow
    passwords: Mapping[str, str]  # of the people made just now, and of nobody else


def make_demo() -> Demo:
    """Raises DemoError with a sentence where the demo can't be made."""
    repository = build_repository(Path(settings.DATA_DIR) / FOLDER)
    file = Path(settings.DATA_DIR) / CREDENTIALS
    passwords = _new_passwords()
    if passwords:
        # Before the rows: passwords that were stored and never shown would be of no use.
        _write_privately(file, credentials_text(passwords))
    with write_transaction():
        people = {person.name: _person(person, passwords) for person in PEOPLE}
        project = _project(repository)
        for person in PEOPLE:
            if not project.memberships.filter(user=people[person.name]).exists():
                members.grant(project, people[person.name], person.role, by=Actor.for_shell())
        features.import_features(project, Actor.for_shell())
        workflow = _workflow(project, people[PEOPLE[0].name])
    return Demo(repository, file, str(workflow.pk), passwords)


def credentials_text(passwords: Mapping[str, str]) -> str:
    people = [person for person in PEOPLE if person.name in passwords]
    lines = [f"  {person.name:<6} {passwords[person.name]}  {person.told}" for person in people]
    return "\n".join([f"Sign in at {settings.URL} as", *lines])


def _new_passwords() -> dict[str, str]:
    known = set(User.objects.filter(username__in=[p.name for p in PEOPLE]).values_list("username", flat=True))
    return {person.name: secrets.token_urlsafe(9) for person in PEOPLE if person.name not in known}


def _person(person: Person, passwords: Mapping[str, str]) -> User:
    if person.name not in passwords:
        return User.objects.get(username=person.name)
    user = User.objects.create_user(
        person.name,
        email=f"{person.name}@example.invalid",
        password=passwords[person.name],
        is_staff=person.is_admin,
        is_superuser=person.is_admin,
    )
    audit.append(
        "user.created", actor=Actor.for_shell(), subject=f"user:{user.pk}",
        after={"user": person.name, "admin": person.is_admin},
    )  # fmt: skip
    return user


def _project(repository: Path) -> Project:
    project = Project.objects.filter(slug=SLUG).first()
    if project is None:
        return projects.register(SLUG, path=repository, name="Tidewater (demo)", by=Actor.for_shell())
    if Path(project.path) != repository.resolve():
        raise DemoError(f"There is a project {SLUG} already, and it is not the demo: its folder is {project.path}.")
    return project


def _workflow(project: Project, author: User) -> Workflow:
    data = make_plan(project=SLUG, feature=FEATURE)
    known = Workflow.objects.filter(project=project, feature__slug=FEATURE, name=data["name"]).order_by("created_at")
    return known.first() or planning.create_workflow(plan_rules.validate_plan(data), by=Actor.for_command(author))


def _write_privately(file: Path, text: str) -> None:
    draft = file.with_name(f"{file.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as handle:
        handle.write(f"{text}\n")
    draft.replace(file)
