"""Steps of type `command`: a bash line in the workspace, its outputs and its artifacts."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from orchestration.executors import collecting, outputs
from orchestration.executors.base import FoundArtifact, Host, Outcome, StepContext
from orchestration.executors.supervised import Supervised
from orchestration.spool import Exit, Spool

STOPPED = "The machine or an operator told the command's supervisor to stop; how far the command came is not known."
LET_GO = "The worker that followed the command lost it; it was ended so that it does not go on unwatched."
SENTENCES = {
    "storage": "The command was ended because its output could not be stored: {detail}.",
    "workspace": "The command could not enter its folder: {detail}.",
    "start": "The command could not be started: {detail}.",
    "memory": "The command was ended because the machine ran out of memory.",
}


class CommandExecutor:
    def validate_config(self, definition: Mapping[str, Any]) -> list[str]:
        line = definition.get("command")
        if not isinstance(line, str) or not line.strip():
            return ["A command step needs a command."]
        return ["A command can't hold a NUL character."] if "\0" in line else []

    def execute(self, context: StepContext, host: Host) -> Outcome:
        command = Supervised(
            context,
            host,
            Spool(context.spool),
            line=context.definition["command"],
            cwd=context.definition.get("cwd") or "",
            timeout_seconds=context.timeout_seconds,
        )
        end = command.start() if context.handle is None else command.take_up()
        return end if isinstance(end, Outcome) else settle(context, command.spool, end)


def settle(context: StepContext, spool: Spool, end: Exit) -> Outcome:
    """From how the process ended to what that means for the step."""
    outcome = replace(judge(end, context), extension=measures(end, context), group_empty=end.group_empty)
    outcome = replace(outcome, effect_unknown=outcome.effect_unknown or not end.group_empty)
    if outcome.kind == "succeeded":
        return harvest(context, spool, outcome)
    # What a failed command left is kept as far as it can be read: a test report tells why it failed.
    return replace(outcome, artifacts=leftovers(context, spool)) if outcome.kind == "failed" else outcome


def judge(end: Exit, context: StepContext) -> Outcome:
    facts: dict[str, Any] = {"exit_code": end.exit_code, "signal": end.signal}
    if end.reason == "canceled":
        return Outcome("canceled", **facts)
    if end.reason in ("terminated", "lease_lost"):
        said = STOPPED if end.reason == "terminated" else LET_GO
        return Outcome("interrupted", error=said, effect_unknown=True, **facts)
    if end.reason == "timeout":
        said = f"The command was ended after its time limit of {context.timeout_seconds or 0:g} seconds."
        return Outcome("failed", reason="timeout", error=said, **facts)
    if end.reason:
        said = SENTENCES.get(end.reason, "The command was ended: {detail}.").format(detail=end.detail or end.reason)
        return Outcome("failed", reason=end.reason, error=said, **facts)
    if end.exit_code == 0:
        return Outcome("succeeded", **facts)
    return Outcome("failed", reason="exit", error=how_it_ended(end), **facts)


def how_it_ended(end: Exit) -> str:
    if end.signal is None:
        return f"The command ended with exit code {end.exit_code}."
    return f"The command was ended by signal {signal_name(end.signal)}."


def signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)


def measures(end: Exit, context: StepContext) -> dict[str, Any]:
    return {
        "started_at": end.started_at,
        "finished_at": end.finished_at,
        "output_bytes": end.output_bytes,
        "dropped_bytes": end.dropped_bytes,
        "stragglers": end.stragglers,
        "cpu_seconds": end.cpu_seconds,
        "max_rss_bytes": end.max_rss_bytes,
        "sandbox": context.sandbox,
    }


def harvest(context: StepContext, spool: Spool, outcome: Outcome) -> Outcome:
    """What the step promised must be there, or it did not succeed."""
    try:
        said = outputs.read(spool.outputs_file, context.definition.get("outputs") or ())
        found = collecting.collect(context, spool.folder / "found")
    except outputs.OutputsError as error:
        return replace(outcome, kind="failed", reason="outputs", error=str(error))
    except collecting.ArtifactError as error:
        return replace(outcome, kind="failed", reason="artifact", error=str(error))
    except OSError as error:
        return replace(outcome, kind="failed", reason="storage", error=f"Artifacts can't be kept: {error.strerror}.")
    return replace(outcome, outputs=said, artifacts=found)


def leftovers(context: StepContext, spool: Spool) -> tuple[FoundArtifact, ...]:
    try:
        return collecting.collect(context, spool.folder / "found", strict=False)
    except (collecting.ArtifactError, OSError):
        return ()
