"""The packet of a decision: what would run, why it is asked, what was tried, who said what, and the form.

Facts of the system and words of an agent stand apart. What is shown is what the digest stands for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from orchestration import boundary
from orchestration.models import Artifact, Event, ExecutionRun, StepRun, WorkflowVersion
from orchestration.reading.approvals import decisions_of
from orchestration.reading.plain import reasons
from policy import access
from policy.models import Approval
from policy.models.approvals import ApprovalKind, Level
from policy.step_facts import runs_code
from workbench.plan_diff import diff_of
from workbench.run_page import checks, lapses
from workbench.run_page.asking import Asked, asked
from workbench.run_page.view import RunView
from workbench.untrusted import plainly

Data = dict[str, Any]
RISKY = ("high", "critical")
LONGEST_DIFF = 20_000
CODE = ("command", "prompt", "system", "env", "checks", "tools")
LABELS = {
    "command": "Command",
    "prompt": "Prompt",
    "system": "System prompt",
    "instructions": "What to look at",
    "cwd": "Folder",
    "env": "Environment",
    "env_profile": "Environment profile",
    "secrets": "Secrets it is given",
    "provider": "Provider",
    "model": "Model",
    "tools": "Tools it is given",
    "context": "Documents",
    "checks": "Checks",
    "network": "Network",
    "timeout_seconds": "At most, in seconds",
}
FIRST = ("command", "prompt", "instructions", "checks")
KINDS = {
    ApprovalKind.CHECKPOINT: "A checkpoint of the plan",
    ApprovalKind.POLICY: "A rule asks for a decision",
    ApprovalKind.SKIP: "Somebody wants to skip this step",
    ApprovalKind.OVERRIDE: "A denial would be overridden",
    ApprovalKind.REPLAN: "The plan would be changed",
    ApprovalKind.BUDGET: "The budget is used up",
}


def packet(view: RunView, one: Asked, *, form: Mapping[str, Any] | None = None) -> Data:
    """For `_packet.html`. `form`: what was typed, and why it was not taken."""
    approval = one.approval
    given = form or {}
    decisions = [
        {**one, "at": datetime.fromisoformat(one["at"])} for one in decisions_of([approval.pk]).get(approval.pk, [])
    ]
    return {
        "id": str(approval.pk),
        "step": {"key": one.key, "name": one.name, "url": view.step_url(one.key, panel="approval")},
        "title": title(approval, one.name),
        "kind_label": kind_label(approval),
        "state": approval.state,
        "risk": approval.risk,
        "level": approval.level,
        "requested_at": approval.requested_at,
        "requested_by": approval.requested_by.get_username() if approval.requested_by else "",
        "expires_at": approval.expires_at if approval.state == "pending" else None,
        "what": [{**fact, "value": plainly(fact["value"])} for fact in what(approval)],
        "reasons": reasons(approval.reasons),
        "inputs": _pairs(approval.facts.get("inputs", {})),
        **_history(view, one.key),
        **_agent(view, one.key),
        **_fate(view, one, approval),
        "quorum": approval.quorum,
        "votes": decisions,
        "missing": one.missing,
        "lacks": one.lacks,
        "changed": lapses.changed_since(approval),
        "revoke_url": _revoke_url(view, one),
        "digest": approval.digest,
        "may_decide": one.may_decide,
        "why_not": _why_not(one),
        "needs_password": one.needs_password,
        "type_digest": approval.digest[:8] if is_typed(approval) else "",
        "decide_url": view.part("decision", approval.pk),
        "form_error": given.get("error", ""),
        "reason_given": given.get("reason", ""),
    }


def packets_of_step(view: RunView, row: Data) -> list[Data]:
    """All requests that were ever made for this step, newest first."""
    found = Approval.objects.filter(subject=f"step:{row['id']}").select_related("project", "requested_by")
    return [packet(view, asked(view, approval, row["key"])) for approval in found.order_by("-requested_at")[:10]]


def title(approval: Approval, name: str) -> str:
    if "drift" in approval.facts:
        return f"Changed files before {name}"
    if approval.kind == ApprovalKind.REPLAN:
        return "Replan the run"
    return f"Skip {name}" if approval.kind == ApprovalKind.SKIP else name


def kind_label(approval: Approval) -> str:
    if "drift" in approval.facts:
        return "Files changed, and not by the run"
    return KINDS.get(ApprovalKind(approval.kind), approval.get_kind_display())


def what(approval: Approval) -> list[Data]:
    """The facts under the digest that a person can judge; the rest is in the step's definition."""
    if skip := approval.facts.get("skip"):
        return _skip(skip)
    if call := approval.facts.get("call"):
        return _call(call)
    if drift := approval.facts.get("drift"):
        return _drift(drift)
    if replan := approval.facts.get("replan"):
        return _replan(approval, replan)
    step, why = approval.facts.get("step", {}), approval.facts.get("override", {}).get("reason", "")
    names = [*FIRST, *(name for name in LABELS if name not in FIRST)]
    shown = [
        {"label": LABELS[name], "value": in_words(name, step[name]), "code": name in CODE}
        for name in names
        if step.get(name) not in (None, "", [], {}, False)
    ]
    asked_for = [{"label": "Why it should run all the same", "value": why, "code": False}] if why else []
    return [*shown, *_boundary(approval.facts), *asked_for]


def _boundary(facts: Mapping[str, Any]) -> list[Data]:
    if not runs_code(facts.get("step", {})) or not facts.get("sandbox"):
        return []
    return [{"label": "Runs in", "value": boundary.WORDS[facts["sandbox"]], "code": False}]


def is_typed(approval: Approval) -> bool:
    """A risky one is not approved by a click that was meant for another."""
    return approval.level == Level.ELEVATED or approval.risk in RISKY


def _revoke_url(view: RunView, one: Asked) -> str:
    row = view.by_key.get(one.key, {})
    is_unused = one.approval.state == "approved" and row.get("state") == "ready"
    may = access.allows(view.role, access.Permission.DECIDE)
    return view.part("run-action", "revoke", step_key=one.key) if is_unused and may else ""


def _call(call: Mapping[str, Any]) -> list[Data]:
    """An agent's tool call, word for word: what is approved is what is made."""
    made = [{"label": "Tool", "value": str(call.get("name")), "code": True}]
    arguments = dict(call.get("arguments") or {})
    return made + [{"label": name, "value": str(value), "code": True} for name, value in arguments.items()]


def _replan(approval: Approval, replan: Mapping[str, Any]) -> list[Data]:
    """The reason, and the difference to the plan that the run had when this was asked."""
    before = WorkflowVersion.objects.filter(digest=approval.facts["plan"], workflow__runs=approval.facts["run"]).first()
    plan = before.plan if before else {"steps": []}
    diff = diff_of(plan, {**plan, "steps": replan["steps"]})
    lines = "\n".join(line["text"] for file in diff["files"] for line in file["lines"])
    return [
        {"label": "Reason", "value": replan["reason"], "code": False},
        {"label": "What changes in the plan", "value": lines[:LONGEST_DIFF], "code": True},
    ]


def _drift(drift: Mapping[str, Any]) -> list[Data]:
    before, found = drift["before"], drift["found"]
    moved = before["head"] != found["head"]
    shown = {
        "Changed files": changed_files(drift),
        "Problem": drift["problem"],
        "Commit checked out": f"{before['head'][:12]} → {found['head'][:12]}" if moved and not drift["problem"] else "",
        "What changed": drift.get("patch", ""),
    }
    return [{"label": label, "value": value, "code": True} for label, value in shown.items() if value]


def changed_files(drift: Mapping[str, Any]) -> str:
    """One to a line, shortened."""
    files = drift.get("files", ())
    lines = [f"{file['change']:8} {file['path']}" for file in files]
    more = int(drift.get("count", 0)) - len(files)
    return "\n".join([*lines, *([f"and {more} more"] if more > 0 else [])])


def _skip(skip: Mapping[str, Any]) -> list[Data]:
    shown = {
        "Reason": skip.get("reason"),
        "Evidence": skip.get("evidence"),
        "Outputs": _lines(skip.get("outputs") or {}),
    }
    return [{"label": label, "value": value, "code": label == "Outputs"} for label, value in shown.items() if value]


def in_words(name: str, value: Any) -> str:
    if name == "network":
        return "Its code reaches the network"
    if isinstance(value, Mapping):
        return _lines(value)
    if name == "checks":
        return "\n".join(_check(check) for check in value)
    if isinstance(value, list):
        return ", ".join(str(part) for part in value)
    return str(value)


def _check(check: Mapping[str, Any]) -> str:
    named = f"{check['name']}: " if check.get("name") else ""
    rest = {k: v for k, v in check.items() if k not in ("name", "kind", "required")}
    return f"{named}{check.get('kind')} {json.dumps(rest, ensure_ascii=False)}"


def _lines(values: Mapping[str, Any]) -> str:
    return "\n".join(f"{name}={value}" for name, value in values.items())


def _pairs(values: Mapping[str, Any]) -> list[Data]:
    return [{"name": name, "value": plainly(json.dumps(value, ensure_ascii=False))} for name, value in values.items()]


def _history(view: RunView, key: str) -> Data:
    """What happened before: earlier attempts, checks of the steps in front, what the run has changed so far."""
    row = view.by_key[key]
    earlier = list(
        ExecutionRun.objects.filter(step_run=row["id"]).exclude(finished_at=None).values("number", "outcome", "error")
    )
    return {
        "attempts": earlier,
        "checks": checks.checks_of(view, _before(view, key)),
        "diff": _changed(view),
        "cost_usd": view.run.cost_usd or None,
    }


def _before(view: RunView, key: str) -> list[Data]:
    """The steps that this one rests on, however far back."""
    graph, keys = view.plan.graph, view.plan.keys
    todo, seen = [view.plan.place[key]], set()
    while todo:
        for needed in graph.needs[todo.pop()]:
            if needed not in seen:
                seen.add(needed)
                todo.append(needed)
    return [view.by_key[keys[place]] for place in sorted(seen) if keys[place] in view.by_key]


def _changed(view: RunView) -> Data | None:
    found = (
        Artifact.objects.filter(run=view.run, kind="diff").order_by("-created_at").values("lineage", "step_run__key")
    )
    rows = list(found[:200])
    if not rows:
        return None
    return {
        "files": sum(int(row["lineage"].get("files", 0)) for row in rows),
        "additions": sum(int(row["lineage"].get("insertions", 0)) for row in rows),
        "deletions": sum(int(row["lineage"].get("deletions", 0)) for row in rows),
        "url": view.step_url(rows[0]["step_run__key"], panel="diff"),
    }


def _agent(view: RunView, key: str) -> Data:
    """The last words of the agents in front of this gate; a model's, so never mixed with facts."""
    agents = [row for row in _before(view, key) if row["type"] == "sdk"]
    if not agents:
        return {"agent_words": "", "agent_name": ""}
    keys = [row["key"] for row in agents]
    said = Event.objects.filter(run=view.run, type="agent.turn.finished", step_key__in=keys).order_by("-sequence_no")
    found = next((event for event in said.values("step_key", "data")[:5] if event["data"].get("text")), None)
    if found is None:
        return {"agent_words": "", "agent_name": ""}
    return {"agent_words": plainly(found["data"]["text"]), "agent_name": view.name(found["step_key"])}


def _fate(view: RunView, one: Asked, approval: Approval) -> Data:
    if approval.state != "pending":
        return {}
    if approval.kind == ApprovalKind.SKIP:
        return {
            "on_approve": "The step is skipped, and what waits for it goes on.",
            "on_reject": "The step stays where it was; if it had not started, its own gate forms again.",
        }
    if approval.kind == ApprovalKind.OVERRIDE and "override" in approval.facts:
        return {
            "on_approve": f"“{one.name}” runs once as shown, though the rules deny it.",
            "on_reject": "The step stays denied.",
        }
    if drift := approval.facts.get("drift"):
        return {
            "on_approve": "Not possible: there are no files to accept. Retry the step and restore the workspace."
            if drift["problem"]
            else "The run goes on with the files as they are now. What was approved on the old ones is asked again.",
            "on_reject": "The step counts as failed; a retry can restore the workspace first.",
        }
    if approval.kind == ApprovalKind.REPLAN:
        return {
            "on_approve": "What has not started is replaced by the new plan, whose own gates are asked then.",
            "on_reject": "The plan stays as it is, and its gates are asked afresh.",
        }
    after = [view.plan.keys[place] for place in view.plan.graph.dependants[view.plan.place[one.key]]]
    names = ", ".join(f"“{view.name(key)}”" for key in after[:3]) + (f" and {len(after) - 3} more" if after[3:] else "")
    skips = view.definition(one.key).get("on_reject") == "skip"
    starts = f"{names} can start." if names else "The run can end."
    approve = f"“{one.name}” runs as shown." if view.by_key[one.key]["type"] != "approval" else starts
    reject = (
        "The step is skipped." if skips else f"“{one.name}” fails" + (f"; {names} will not start." if names else ".")
    )
    more = f" It needs {one.missing - 1} more after yours." if one.missing > 1 else ""
    return {"on_approve": approve + more, "on_reject": reject}


def _why_not(one: Asked) -> str:
    if one.may_decide or one.approval.state != "pending":
        return ""
    return f"{one.standing} It can be decided by {one.deciders}.".strip()


def step_of_approval(approval: Approval) -> StepRun | None:
    """The step run that an approval is for, with its run."""
    kind, _, number = approval.subject.partition(":")
    if kind != "step" or not number.isdecimal():
        return None
    return StepRun.objects.select_related("run__project").filter(pk=int(number)).first()
