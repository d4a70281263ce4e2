"""approve_step and reject_step: one decision of one person, on what is printed."""

from __future__ import annotations

from typing import Any

from django.core.management import CommandParser

from orchestration.engine import deciding
from orchestration.management.command import RunVerb
from orchestration.models import WorkflowRun
from orchestration.reading import finding
from policy.actors import Actor
from policy.models import Approval


class Decide(RunVerb):
    takes_step = True
    decision = ""

    def add_more(self, parser: CommandParser) -> None:
        parser.add_argument("--digest", default="", help="decide only if the request still has this digest")
        parser.add_argument("--approval", default="", metavar="ID", help="where a step has several requests open")

    def act(self, run: WorkflowRun, by: Actor, options: dict[str, Any]) -> None:
        asked = _asked(run, options["step"], options["approval"])
        if asked is not None and not options["json"]:
            self.stdout.write(_packet(asked))
        deciding.decide_approval(
            run.pk,
            options["step"],
            decision=self.decision,
            reason=options["reason"],
            digest=options["digest"] or (asked.digest if asked else ""),
            by=by,
            approval_id=options["approval"],
        )


def _asked(run: WorkflowRun, key: str, approval_id: str) -> Approval | None:
    step = finding.find_step(run, key)
    if not approval_id:
        return step.approval
    return Approval.objects.filter(subject=f"step:{step.pk}", pk=finding.identity(approval_id)).first()


def _packet(asked: Approval) -> str:
    """The facts of the server; nothing that a model or a command wrote."""
    reasons = [f"  {reason.get('message', '')}" for reason in asked.reasons]
    step = asked.facts.get("step", {})
    what = [f"  {name}: {step[name]!r}" for name in ("command", "prompt", "instructions", "cwd") if step.get(name)]
    return "\n".join([f"{asked.title}: {asked.kind}, risk {asked.risk}", *what, *reasons, f"  digest {asked.digest}"])
