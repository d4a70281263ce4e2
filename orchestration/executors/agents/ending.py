"""How an agent can end, each as an outcome with a sentence for a person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from orchestration.providers.base import ProviderError

from .. import collecting
from ..base import Outcome, StepContext
from . import result
from .state import AgentState
from .watch import Watch


def success(text: str, value: Any) -> Outcome:
    return Outcome(kind="succeeded", outputs=result.outputs(text, value))


def waits(state: AgentState) -> Outcome:
    pending = [{"call_id": call.call_id, "name": call.name, "approval_id": call.approval_id} for call in state.pending]
    names = ", ".join(call["name"] for call in pending)
    return Outcome(
        kind="checkpoint",
        reason="approval",
        error=f"The agent waits for a decision on {len(pending)} tool call{'s' if len(pending) > 1 else ''} ({names}).",
        extension={"pending": pending},
    )


def out_of_budget(why: str) -> Outcome:
    return Outcome(kind="checkpoint", reason="budget", error=f"The budget is reached. {why}")


def out_of_turns(limit: int) -> Outcome:
    return Outcome(
        kind="failed", reason="max_turns", error=f"The agent used all of its {limit} turns and was not done."
    )


def stopped(kind: str, watch: Watch) -> Outcome:
    if kind == "canceled":
        return Outcome(kind="canceled", reason="canceled", error="The agent was canceled.")
    return Outcome(
        kind="failed", reason="timeout", error=f"The agent was not done within its time ({watch.seconds:.0f} seconds)."
    )


def fault(error: ProviderError, label: str) -> Outcome:
    """A provider that could not answer. `config` problems are the project's to mend, the rest the provider's."""
    facts = {"error_kind": error.kind, "http_status": error.status, "request_id": error.request_id}
    reason = "config" if error.kind in ("auth", "config") else "provider"
    told = {key: value for key, value in facts.items() if value}
    return Outcome(kind="failed", reason=reason, error=f"{label}: {error.sentence}", extension=told)


def unfinished(state: AgentState, limit: object) -> Outcome:
    """An answer that ended, but not because the model was done."""
    limited = f" ({limit} tokens)" if limit else ""
    sentences = {
        "length": f"The answer was cut at the output limit{limited}; raise max_output_tokens or ask for less.",
        "content_filter": "The provider's content filter stopped the answer.",
        "refusal": "The model refused to answer.",
        "context_window": "The conversation no longer fits into the model's context window.",
        "canceled": "The answer was canceled at the provider, by somebody other than this run.",
        "tool_calls": "The model announced tool calls and named none.",
    }
    said = str(state.extension.get("error") or "")
    sentence = (
        sentences.get(state.finish) or f"The provider ended the answer for a reason unknown here ({state.finish[:80]})."
    )
    return Outcome(kind="failed", reason="provider", error=f"{sentence} {said}".strip())


def complete(
    outcome: Outcome, context: StepContext, state: AgentState, head: Mapping[str, Any], simulated: bool
) -> Outcome:
    """Add what every ending carries. A full disk must not hide how the agent ended: then the transcript is left out."""
    told = {**head, "finish_reason": state.finish, "response_ids": state.response_ids[-200:], "simulated": simulated}
    extension = {**state.extension, **told, **outcome.extension}
    sure = bool(state.extension.get("group_empty", True))
    whole = replace(outcome, usage=result.usage(state), extension=extension, group_empty=sure, effect_unknown=not sure)
    try:
        transcript = result.write_transcript(context.spool, told, state)
    except OSError as error:
        return replace(whole, extension={**extension, "transcript_error": error.strerror or "could not be written"})
    return _with_artifacts(replace(whole, artifacts=(transcript,)), context)


def _with_artifacts(outcome: Outcome, context: StepContext) -> Outcome:
    """What the agent kept and what the step names; an artifact that was promised and is missing fails the step."""
    if outcome.kind in ("checkpoint", "canceled"):
        return outcome
    promised = outcome.kind == "succeeded"
    try:
        found = collecting.collect(context, context.spool / "found", strict=promised)
    except (collecting.ArtifactError, OSError) as error:
        said = (
            str(error) if isinstance(error, collecting.ArtifactError) else f"Artifacts can't be kept: {error.strerror}."
        )
        return replace(outcome, kind="failed", reason="artifact", error=said) if promised else outcome
    return replace(outcome, artifacts=(*outcome.artifacts, *found))
