"""What changed between an approval that no longer holds and the request that stands in its place."""

from __future__ import annotations

import json
from typing import Any

from orchestration.engine.gates import differences
from policy.models import Approval
from workbench.untrusted import plainly

Data = dict[str, Any]
SHOWN, LONGEST = 12, 300
WORDS = {
    "workspace.tree": "The files in the workspace",
    "workspace.base_commit": "The commit that the run began with",
    "rules_version": "The rules",
    "verdict": "What the rules say",
    "risk": "The risk",
    "plan": "The plan",
    "generation": "How often the run was planned",
}


def changed_since(approval: Approval) -> list[Data]:
    """Against the request for the same thing that this one replaced; nothing where it is the first."""
    if approval.state != "pending":
        return []
    earlier = Approval.objects.filter(subject=approval.subject, call_id=approval.call_id, kind=approval.kind)
    before = (
        earlier.filter(requested_at__lt=approval.requested_at, state="superseded").order_by("-requested_at").first()
    )
    if before is None:
        return []
    found = differences(before.facts, approval.facts)[:SHOWN]
    return [{"what": _word(one["path"]), "before": _text(one["before"]), "after": _text(one["after"])} for one in found]


def _word(path: str) -> str:
    return WORDS.get(path, path.removeprefix("step.").replace("_", " "))


def _text(value: Any) -> str:
    if value is None:
        return "nothing"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return plainly(text if len(text) <= LONGEST else f"{text[:LONGEST]}…")
