"""Asks policy about one line, as a step of a run in a workspace."""

from policy import risk
from policy.risk import PolicyContext, Verdict

ROOT = "/work/spaces/demo"
CONTEXT = PolicyContext("demo", "feature", "workspace", ROOT)


def judge(command: str, **step) -> Verdict:
    return risk.evaluate({"key": "step", "type": "command", "command": command, **step}, CONTEXT)


def codes(verdict: Verdict) -> set[str]:
    return {reason.code for reason in verdict.reasons}
