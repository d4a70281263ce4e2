"""Which actions a run allows now. Pages draw their buttons from it, refusals name it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from orchestration.models import WorkflowRun

# Waiting for a decision, and yet a person may set it going again.
EXPIRED = "approval_expired"
AGAIN = (EXPIRED, "workspace_drift")
OPEN_FOR_SKIP = frozenset({"pending", "ready", "awaiting_approval", "retry_wait", "failed", "interrupted"})


def allowed_actions(run: WorkflowRun, states: Sequence[str]) -> list[str]:
    """The verbs of the API, in the order in which a page shows them."""
    if run.is_final or run.control == "cancel":
        return []
    found = set(states)
    actions = ["approve"] if _can_be_decided(run, states) else []
    if run.control == "pause" or "interrupted" in found or run.state_reason == "workspace_drift":
        actions.append("resume")
    if run.control == "none" and run.state != "failed":
        actions.append("pause")
    if found & {"failed", "interrupted", "retry_wait"} or run.state_reason in AGAIN:
        actions.append("retry-step")
    if found & OPEN_FOR_SKIP:
        actions.append("skip-step")
    if "interrupted" in found:
        actions.append("resolve-step")
    if run.state_reason == "policy_denied":
        actions.append("override-step")
    if "running" not in found:
        actions.append("replan")
    return [*actions, "cancel"]


def step_actions(run: WorkflowRun, state: str, step_type: str, reason: str = "") -> list[str]:
    """The verbs that one step allows now."""
    if run.is_final or run.control == "cancel":
        return []
    actions = ["approve", "reject"] if state == "awaiting_approval" and reason != EXPIRED else []
    if state in ("failed", "interrupted", "canceled", "retry_wait") or reason in AGAIN:
        actions.append("retry-step")
    if state == "interrupted":
        actions += ["resume", "resolve-step"]
    if (state, reason) == ("failed", "policy_denied") and step_type != "approval":
        actions.append("override-step")
    if state in OPEN_FOR_SKIP:
        actions.append("skip-step")
    return actions


def _can_be_decided(run: WorkflowRun, states: Sequence[str]) -> bool:
    """The run tells the reason of the first step that waits; what others wait for is not known here."""
    waiting = states.count("awaiting_approval")
    return waiting > 1 or (waiting == 1 and run.state_reason != EXPIRED)
