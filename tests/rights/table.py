"""Who gets through which door: the one table that pages, API, sockets and commands are held against.

A door that is not in here fails the test, and so does a line without a door. "In" says that rights were no obstacle;
whether the form was filled in well or the run was in the right state is the matter of other tests.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.rights.world import NOBODIES, OPERATOR, OTHER, ROLES

IN, SIGN_IN, NOT_FOUND, FORBIDDEN, NO_METHOD = "in", "sign in", "not found", "forbidden", "no such method"

# Least role; whoever has less is told so, whoever is no member finds nothing, nobodies are asked who they are.
VIEW, LAUNCH, DECIDE, MANAGE = "view", "launch", "decide", "manage"
PUBLIC = "public"  # the same for everybody, and nothing of any project in it
SIGNED = "signed in"  # what is one's own: everybody's differs
OWNER = "owner"  # one person's; for all others as if it were not there
NONE = "none"
LADDER = {VIEW: 0, LAUNCH: 1, DECIDE: 2, MANAGE: 3}


def expected(need: str, who: str) -> str:
    if need == NONE:
        return SIGN_IN if who in NOBODIES else NO_METHOD
    if need == PUBLIC:
        return IN
    if who in NOBODIES:
        return SIGN_IN
    if need == SIGNED:
        return IN
    if need == OWNER:
        return IN if who == OPERATOR else NOT_FOUND
    if who == OTHER:
        return NOT_FOUND
    return IN if ROLES.index(who) >= LADDER[need] else FORBIDDEN


@dataclass(frozen=True)
class Door:
    """What GET and POST need. `at`: the parts of the address that are not those of the plain run; `body`: the form."""

    get: str = NONE
    post: str = NONE
    body: dict[str, Any] = field(default_factory=dict)
    at: dict[str, str] = field(default_factory=dict)
    but: dict[str, str] = field(default_factory=dict)  # actions of this address that need something else

    def need(self, method: str, path: str) -> str:
        common = self.get if method == "GET" else self.post
        return next((need for action, need in self.but.items() if f"/{action}/" in path), common)


WHY = {"reason": "Because."}
PAGES: dict[str, Door] = {
    # what is one's own
    "home": Door(SIGNED),
    "account": Door(SIGNED),
    "tokens": Door(post=SIGNED, body={"name": "script"}),
    "token-revocation": Door(post=OWNER, at={"pk": "token"}),
    "password": Door(SIGNED, SIGNED),
    "approvals": Door(SIGNED),
    "projects": Door(SIGNED),
    # a project
    "project": Door(VIEW),
    "project-runs": Door(VIEW),
    "project-members": Door(VIEW, MANAGE, {"username": "nobody", "role": "viewer"}),
    "member-removal": Door(post=MANAGE, at={"pk": "member"}),
    "project-providers": Door(VIEW),
    "project-provider": Door(MANAGE, MANAGE, at={"name": "provider"}),
    "provider-test": Door(post=MANAGE, at={"name": "provider"}),
    "provider-removal": Door(post=MANAGE, at={"name": "provider"}),
    "project-environments": Door(VIEW, MANAGE, {"name": "fresh", "env": "A=1"}),
    "environment-removal": Door(post=MANAGE, at={"name": "profile"}),
    "project-boundary": Door(post=MANAGE),
    "project-secrets": Door(VIEW, MANAGE, {"name": "FRESH", "value": "fresh-value-1"}),
    "secret-removal": Door(post=MANAGE, at={"name": "secret"}),
    "project-rules": Door(VIEW),
    "rule-trial": Door(VIEW, VIEW),
    "project-health": Door(VIEW),
    "project-imports": Door(post=LAUNCH),
    "new-feature": Door(LAUNCH, LAUNCH, {"title": "New", "slug": "new"}),
    # features and plans
    "feature": Door(VIEW),
    "single-runs": Door(post=LAUNCH, body={"kind": "command", "command": "true"}),
    "single-preview": Door(post=VIEW, body={"kind": "command", "command": "true"}),
    "workflows": Door(VIEW),
    "document": Door(VIEW, at={"pk": "document"}),
    "new-workflow": Door(LAUNCH, LAUNCH),
    "draft-workflow": Door(LAUNCH),
    "import-workflow": Door(LAUNCH, LAUNCH),
    "check-workflow": Door(post=VIEW),
    "workflow": Door(VIEW, LAUNCH, {"do": "save"}, {"pk": "workflow"}),
    "workflow-launch": Door(LAUNCH, LAUNCH, at={"pk": "workflow"}),
    "workflow-versions": Door(VIEW, at={"pk": "workflow"}),
    "workflow-diff": Door(VIEW, at={"pk": "workflow", "start": "first", "end": "first"}),
    "workflow-export": Door(VIEW, at={"pk": "workflow", "number": "first"}),
    # a run
    "run": Door(VIEW),
    "run-live": Door(VIEW),
    "run-seen": Door(post=VIEW),
    "run-plan": Door(VIEW),
    "log-lines": Door(VIEW),
    "log-search": Door(VIEW),
    "log-raw": Door(VIEW),
    "artifact": Door(VIEW),
    "report": Door(VIEW),
    "report-file": Door(VIEW),
    "replan": Door(LAUNCH, LAUNCH, WHY, {"number": "waiting"}),
    "run-reconciliation": Door(post=LAUNCH, at={"number": "waiting"}),
    "decision": Door(post=DECIDE, at={"number": "waiting"}, body={**WHY, "decision": "approve", "digest": "{digest}"}),
    "run-action": Door(
        LAUNCH, LAUNCH, {**WHY, "step_key": "after", "outcome": "failed"}, {"number": "waiting"}, {"revoke": DECIDE}
    ),
    # the rest
    "login": Door(PUBLIC, PUBLIC),
    "logout": Door(post=PUBLIC),
    "favicon": Door(PUBLIC, PUBLIC),
    "api-docs": Door(PUBLIC, PUBLIC),
}
STEP = {**WHY, "step_key": "gate"}
DECISION = {**WHY, "decision": "approve", "digest": "{digest}"}
WAITING, SINGLE = {"run_id": "waiting_run"}, {"run_id": "single"}
ONE_STEP = {"type": "command", "command": "true"}
HERE = {"project": "{slug}", "feature": "{feature}"}
PLAN = {**HERE, "name": "Plan", "steps": [{"key": "a", **ONE_STEP}]}
OPERATIONS: dict[str, Door] = {
    # what may be seen, of all projects
    "list_projects": Door(SIGNED),
    "list_features": Door(SIGNED),
    "list_workflows": Door(SIGNED),
    "list_runs": Door(SIGNED),
    "list_single_runs": Door(SIGNED),
    "list_approvals": Door(SIGNED),
    "list_providers": Door(SIGNED),
    # plans
    "check_policy": Door(post=VIEW, body={**HERE, "step": {"key": "a", **ONE_STEP}}),
    "validate_workflow": Door(post=SIGNED, body=PLAN),
    "create_workflow": Door(post=LAUNCH, body=PLAN),
    "create_version": Door(post=LAUNCH, body=PLAN),
    "get_workflow": Door(VIEW),
    "launch_run": Door(post=LAUNCH),
    # runs
    "get_run": Door(VIEW),
    "get_impact": Door(VIEW),
    "list_events": Door(VIEW),
    "get_log": Door(VIEW),
    "list_artifacts": Door(VIEW),
    "get_report": Door(VIEW),
    "get_artifact": Door(VIEW),
    "get_artifact_content": Door(VIEW),
    "approve": Door(post=DECIDE, at=WAITING, body={**DECISION, "step_key": "gate"}),
    "pause": Door(post=LAUNCH, at=WAITING, body=WHY),
    "resume": Door(post=LAUNCH, at=WAITING, body=WHY),
    "reconcile": Door(post=LAUNCH, at=WAITING),
    "cancel": Door(post=LAUNCH, at=WAITING, body=WHY),
    "retry_step": Door(post=LAUNCH, at=WAITING, body=STEP),
    "skip_step": Door(post=LAUNCH, at=WAITING, body=STEP),
    "override_step": Door(post=LAUNCH, at=WAITING, body=STEP),
    "revoke": Door(post=DECIDE, at=WAITING, body=STEP),
    "resolve_step": Door(post=LAUNCH, at=WAITING, body={**WHY, "step_key": "after", "outcome": "failed"}),
    "replan": Door(post=LAUNCH, at=WAITING, body={**WHY, "steps": [{"key": "a", **ONE_STEP}]}),
    # runs of one step
    "start_single_run": Door(post=LAUNCH, body={**HERE, **ONE_STEP}),
    "get_single_run": Door(VIEW, at=SINGLE),
    "cancel_single_run": Door(post=LAUNCH, at=SINGLE),
    "reconcile_single_run": Door(post=LAUNCH, at=SINGLE),
    "retry_single_run": Door(post=LAUNCH, at=SINGLE),
    "approve_single_run": Door(post=DECIDE, at=SINGLE, body={**DECISION, "digest": "{single_digest}"}),
}
SOCKETS = {r"^ws/workflow-runs/(?P<run_id>[^/]{1,64})/$": VIEW}

# Commands act for whoever is named by --user. Without a name it is the owner of the installation who asks, so the ones
# that take no name say so here, each with the reason.
COMMANDS: dict[str, tuple[str, tuple[str, ...]]] = {
    # looking
    "list_runs": (SIGNED, ()),
    "show_run": (VIEW, ("{run_id}",)),
    "export_report": (VIEW, ("{run_id}", "{folder}/report.json")),
    "export_workflow": (VIEW, ("{workflow}",)),
    "policy_check": (VIEW, ("{slug}", "--command", "ls")),
    "try_rules": (VIEW, ("{slug}", "--condition", "true", "--verdict", "deny")),
    # plans and features
    "create_feature": (LAUNCH, ("{slug}", "fresh", "--title", "Fresh")),
    "import_features": (LAUNCH, ("{slug}",)),
    "generate_plan": (LAUNCH, ("{slug}", "{feature}")),
    "import_workflow": (LAUNCH, ("{folder}/plan.json",)),
    # runs
    "start_run": (LAUNCH, ("{workflow}",)),
    "pause_run": (LAUNCH, ("{waiting_run}", "--reason", "Because.")),
    "resume_run": (LAUNCH, ("{waiting_run}", "--reason", "Because.")),
    "cancel_run": (LAUNCH, ("{waiting_run}", "--reason", "Because.")),
    "retry_step": (LAUNCH, ("{waiting_run}", "after", "--reason", "Because.")),
    "skip_step": (LAUNCH, ("{waiting_run}", "after", "--reason", "Because.")),
    "override_step": (LAUNCH, ("{waiting_run}", "after", "--reason", "Because.")),
    "revoke_approval": (DECIDE, ("{waiting_run}", "after", "--reason", "Because.")),
    "resolve_step": (LAUNCH, ("{waiting_run}", "after", "failed", "--reason", "Because.")),
    "approve_step": (DECIDE, ("{waiting_run}", "gate", "--reason", "Because.")),
    "reject_step": (DECIDE, ("{waiting_run}", "gate", "--reason", "Because.")),
    # a project's own
    "add_member": (MANAGE, ("{slug}", "{somebody}", "--role", "viewer")),
    "set_secret": (MANAGE, ("{slug}", "FRESH")),
    "set_env_profile": (MANAGE, ("{slug}", "fresh", "--env", "A=1")),
    "set_provider": (MANAGE, ("{slug}", "{provider}")),
}
OF_THE_OWNER = {
    "check_runs": "reads the whole database",
    "create_api_token": "hands out a person's own rights",
    "create_project": "registers a folder of this machine",
    "create_user": "makes accounts",
    "doctor": "looks at the installation",
    "export_audit": "tells of every project",
    "make_demo": "makes a project and its people",
    "reconcile": "does what the server's sweeper does",
    "remove_worktrees": "tidies up on this machine",
    "run_worker": "is the server's hands",
    "serve": "is the server",
    "verify_audit": "tells of every project",
}
