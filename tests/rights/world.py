"""One project with everything in it that an address can name, another project, and everybody who might ask."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.test import Client

from orchestration import plan_rules
from orchestration.engine import launching, planning
from orchestration.models import Document, WorkflowRun
from policy import tokens
from policy.actors import Actor, mark_signed_in
from policy.models import ApiToken
from tests.factories import member
from tests.orchestration import runs, stories
from tests.orchestration.repositories_of_tests import make_repository
from tests.orchestration.runs import Team

STRANGER, OTHER, REVOKED, DEACTIVATED = "stranger", "other project", "revoked token", "deactivated"
VIEWER, OPERATOR, APPROVER, ADMIN = "viewer", "operator", "approver", "admin"
ROLES = (VIEWER, OPERATOR, APPROVER, ADMIN)
GATE = {"type": "approval"}
# Who has nothing to show for themselves; then who is somebody, but not here; then the members.
NOBODIES = (STRANGER, REVOKED, DEACTIVATED)
EVERYBODY = (*NOBODIES, OTHER, *ROLES)


@dataclass
class World:
    team: Team
    run: WorkflowRun  # it left a log and an artifact
    waiting: WorkflowRun  # at a checkpoint
    single: WorkflowRun  # one step, which waits, too
    foreign: WorkflowRun  # of the other project
    people: dict[str, User]
    raw: dict[str, str] = field(default_factory=dict)
    browsers: dict[str, Client] = field(default_factory=dict)

    def at_browser(self, who: str) -> Client:
        """One sign-in for each; whoever was deactivated had signed in before."""
        if who not in self.browsers:
            self.browsers[who] = self._signed_in(who)
        return self.browsers[who]

    def _signed_in(self, who: str) -> Client:
        if who == STRANGER:
            return Client()
        if who == REVOKED:
            return Client(headers={"Authorization": f"Bearer {self.raw[who]}"})
        client = Client()
        client.force_login(User(pk=self.people[who].pk, password=self.people[who].password, is_active=True))
        session = client.session
        mark_signed_in(session)
        session.save()
        return client

    def headers(self, who: str) -> dict[str, str]:
        return {} if who == STRANGER else {"Authorization": f"Bearer {self.raw[who]}"}


def make_world(folder: Path) -> World:
    make_repository(folder / "ours")  # where several runs work side by side
    (folder / "theirs").mkdir()
    team = runs.make_team(folder / "ours", max_active_runs=100)
    others = runs.make_team(folder / "theirs")
    people = {
        OTHER: member(others.project, "admin"),
        REVOKED: member(team.project, "admin"),
        DEACTIVATED: member(team.project, "admin"),
        VIEWER: team.linus,
        OPERATOR: team.ada,
        APPROVER: team.grace,
        ADMIN: member(team.project, "admin"),
    }
    ours = (stories.logged(team), _waiting(team), _single(team), stories.waiting(others))
    world = World(team, *ours, people)
    world.raw = {who: tokens.create(user, may_approve=True)[1] for who, user in people.items()}
    _document(team, folder / "ours")
    tokens.revoke(ApiToken.objects.get(user=people[REVOKED]), by=Actor.for_shell())
    User.objects.filter(pk=people[DEACTIVATED].pk).update(is_active=False)
    return world


def _waiting(team: Team) -> WorkflowRun:
    plan, by = plan_rules.validate_plan(runs.make_plan(team, "gate >> after", {"gate": GATE})), _somebody(team)
    return launching.launch_run(planning.create_workflow(plan, by=by), inputs={}, by=by)


def _single(team: Team) -> WorkflowRun:
    plan = plan_rules.validate_plan(runs.make_plan(team, "push", {"push": stories.PUSH}))
    return launching.launch_simple(plan, by=_somebody(team))


def _somebody(team: Team) -> Actor:
    """Who asks is none of those that come to the doors, so that roles alone decide."""
    return Actor.for_command(member(team.project, "operator"))


def _document(team: Team, folder: Path) -> None:
    (folder / "docs").mkdir()
    (folder / "docs" / "plan.md").write_text("# Search\n")
    Document.objects.create(feature=team.feature, path="docs/plan.md", doc_type="implementation_plan", title="Search")


def names_of(world: World) -> dict[str, Any]:
    """What the addresses of this project name, by the names that the table uses."""
    team, run = world.team, world.run
    return {
        "slug": team.project.slug,
        "feature": team.feature.slug,
        "number": run.number,
        "waiting": world.waiting.number,
        "first": 1,
        "key": "a",
        "step_key": "a",
        "workflow": run.workflow_id,
        "workflow_id": run.workflow_id,
        "run_id": run.pk,
        "waiting_run": world.waiting.pk,
        "single": world.single.pk,
        "artifact_id": run.artifacts.get().pk,
        "approval_id": runs.step_of(world.waiting, "gate").approval_id,
        "digest": runs.step_of(world.waiting, "gate").digest,
        "single_digest": runs.step_of(world.single, "push").digest,
        "document": Document.objects.get(feature=team.feature).pk,
        "member": team.edsger.pk,
        "token": ApiToken.objects.get(user=team.ada).pk,
        "secret": "TOKEN",
        "provider": "openai",
        "profile": "staging",
        "form": "json",
    }
