"""Steps of type `validation`: checks, one after the other, every one of them reported.

Checks that run a command do so in a spool folder of their own below the attempt's, so that a restarted
worker adopts or follows the one that was running; the others are cheap and are simply made again.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from orchestration.executors import checks, collecting
from orchestration.executors.base import CheckResult, Host, Outcome, StepContext
from orchestration.executors.command import judge
from orchestration.executors.supervised import Supervised
from orchestration.spool import Exit, Spool
from orchestration.workspace import Workspace

TIMED_OUT = "The checks were ended after their time limit of {seconds:g} seconds."


class ValidationExecutor:
    def validate_config(self, definition: Mapping[str, Any]) -> list[str]:
        wanted = definition.get("checks") or []
        known = sorted([*checks.LOOKING, "command"])
        unknown = [str(check.get("kind")) for check in wanted if check.get("kind") not in known]
        problems = [f"There is no check of kind {kind!r}; there are {', '.join(known)}." for kind in unknown]
        return problems if wanted else ["A validation step needs at least one check."]

    def execute(self, context: StepContext, host: Host) -> Outcome:
        return Validation(context, host).run()


class Validation:
    def __init__(self, context: StepContext, host: Host) -> None:
        self.context = context
        self.host = host
        self.base_offset = 0
        self.until = time.monotonic() + (context.timeout_seconds or 10**9)

    def run(self) -> Outcome:
        results: list[CheckResult] = []
        for number, check in enumerate(self.context.definition["checks"], start=1):
            found = self.make(check, number)
            if isinstance(found, Outcome):
                return replace(found, checks=tuple(results))
            results.append(found)
        return self.conclude(tuple(results))

    def make(self, check: Mapping[str, Any], number: int) -> CheckResult | Outcome:
        if self.host.control() == "cancel":
            return Outcome("canceled")
        if time.monotonic() > self.until:
            return self.timed_out()
        if check["kind"] == "command":
            return self.make_command(check, number)
        return checks.look(check, Workspace(self.context.workspace), self.context.scope)

    def make_command(self, check: Mapping[str, Any], number: int) -> CheckResult | Outcome:
        """In the first folder of this check that nobody has declared void."""
        for again in range(100):
            spool = Spool(self.context.spool / f"check-{number}-{again}")
            ended = self.run_command(check, spool)
            if isinstance(ended, Outcome) and ended.kind == "never_started":
                continue
            self.base_offset += spool.output.stat().st_size if spool.output.exists() else 0
            return ended if isinstance(ended, Outcome) else self.weigh(check, ended)
        return Outcome("failed", reason="start", error="The check's command could not be started.")

    def run_command(self, check: Mapping[str, Any], spool: Spool) -> Exit | Outcome:
        supervised = Supervised(
            replace(self.context, handle=self.handle()),
            self.host,
            spool,
            line=check["command"],
            timeout_seconds=min(self.until - time.monotonic(), 10**9),
            base_offset=self.base_offset,
        )
        return supervised.take_up() if spool.folder.exists() else supervised.start()

    def handle(self) -> Mapping[str, Any]:
        """Of the attempt's handle only the machine counts: the rest may be about an earlier check."""
        known = self.context.handle or {}
        return {"host": known["host"]} if "host" in known else {}

    def weigh(self, check: Mapping[str, Any], end: Exit) -> CheckResult | Outcome:
        judged = judge(end, self.context)
        if judged.kind in ("canceled", "interrupted"):
            return replace(judged, group_empty=end.group_empty, effect_unknown=not end.group_empty)
        if judged.reason == "timeout":
            return self.timed_out()
        return checks.result(check, judged.error)

    def timed_out(self) -> Outcome:
        said = TIMED_OUT.format(seconds=self.context.timeout_seconds or 0)
        return Outcome("failed", reason="timeout", error=said)

    def conclude(self, results: tuple[CheckResult, ...]) -> Outcome:
        failed = [found for found in results if found.required and not found.passed]
        try:
            left = collecting.collect(self.context, self.context.spool / "found", strict=not failed)
        except collecting.ArtifactError as error:
            return Outcome("failed", reason="artifact", error=str(error), checks=results)
        except OSError as error:
            said = f"Artifacts can't be kept: {error.strerror}."
            return Outcome("failed", reason="storage", error=said, checks=results)
        if not failed:
            return Outcome("succeeded", checks=results, artifacts=left)
        said = f"Check {failed[0].name!r} failed: {failed[0].message}"
        return Outcome("failed", reason="validation", error=said, checks=results, artifacts=left)
