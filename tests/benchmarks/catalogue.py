"""Every benchmark by name, and every line of the table with its goal."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module

from tests.benchmarks.figures import Figure

SQLITE, POSTGRESQL = "SQLite", "PostgreSQL"


@dataclass(frozen=True)
class Line:
    """One line of the table. No goal: it explains another line. `least`: more is better."""

    key: str
    text: str
    unit: str
    sqlite: float | None = None
    postgresql: float | None = None
    least: bool = False

    def goal(self, database: str) -> float | None:
        return self.sqlite if database == SQLITE else self.postgresql

    def holds(self, database: str, value: float) -> bool | None:
        goal = self.goal(database)
        if goal is None:
            return None
        return value >= goal if self.least else value <= goal


def _both(goal: float) -> dict[str, float]:
    return {"sqlite": goal, "postgresql": goal}


LINES = [
    Line("expression_step", "expression check, chain of 100, a step", "ms", **_both(0.5)),
    Line("no_op_step", "Python no-op step, chain of 100, a step", "ms", 1.8, 3.0),
    Line("statements", "statements a step in that chain", "", **_both(7)),
    Line("commits", "commits a step in that chain", "", **_both(1)),
    Line("fan_out_100", "1 → 100 → 1 no-op steps, a step", "ms", 1.2, 1.8),
    Line("fan_out_1000", "1 → 1,000 → 1 no-op steps, a step", "ms", 1.2, 1.8),
    Line("planning", "planning 10,000 steps and 30,000 edges", "ms", **_both(500)),
    Line("crowd", "50 runs of 10 no-op steps at once", "steps/s", **_both(400), least=True),
    Line("command_folder", "command `true` in a folder, over the bare process", "ms", **_both(10)),
    Line("command_worktree", "the same in a git worktree of 100 files", "ms"),
    Line("bare_process", "the bare process: bash -c true", "ms"),
    Line("begin_p50", "launch accepted → first step started, p50", "ms"),
    Line("begin_p95", "launch accepted → first step started, p95", "ms", **_both(50)),
    Line("follow_p50", "event committed → in the browser's page, p50", "ms"),
    Line("follow_p95", "event committed → in the browser's page, p95", "ms", 150, 200),
    Line("pages_open", "1,000 open pages follow a run, 10 events/s, p95", "ms", **_both(1000)),
    Line("page_memory", "memory of the web process for each of them", "KB", **_both(60)),
    Line("verdict_p50", "verdict on a command line, median", "ms", **_both(2)),
    Line("verdict_p99", "verdict on a command line, p99", "ms", **_both(50)),
    Line("agent_turn", "an agent's turn with one tool call, beside the provider", "ms", **_both(5)),
    Line("agent_event", "an event of an agent's stream", "µs", **_both(400)),
    Line("agents_streaming", "50 agents, 50 events/s each, one process", "events/s", **_both(2450), least=True),
    Line("audit", "audit records under 8 writers", "records/s", **_both(200), least=True),
    Line("restart", "kill -9 with 100 runs in flight → all taken up", "s", **_both(5)),
    Line("restart_repeated", "commands that ran twice after it", "", **_both(0)),
    Line("start", "second start → page served", "s", **_both(4)),
    Line("memory", "idle memory of the whole product", "MB", **_both(200)),
    Line("pages", "slowest page: 10,000 runs, 1,000,000 events", "ms", **_both(100)),
    Line("run_page", "page of a run with 500 steps", "ms", **_both(300)),
    Line("check_runs", "check_runs over 10,000 runs, 100,000 steps", "s", **_both(60)),
]

# name -> (where, whether it is part of a run without names)
BENCHMARKS = {
    "chain": ("steps:no_op_chain", True),
    "checks": ("steps:expression_checks", True),
    "fan": ("steps:fan_out", True),
    "wide-fan": ("steps:wide_fan_out", True),
    "planning": ("planning:plan_large", True),
    "crowd": ("crowd:many_runs", True),
    "command": ("commands:command_steps", True),
    "begin": ("crowd:first_starts", True),
    "verdict": ("rules:verdicts", True),
    "agent-turn": ("agents:turns", True),
    "agent-event": ("agents:events", True),
    "agents": ("agents:crowd", True),
    "audit": ("rules:audit_writers", True),
    "restart": ("restarts:kill_with_runs_in_flight", True),
    "start": ("starts:second_start", True),
    "follow": ("follow:event_to_page", True),
    "open-pages": ("open_pages:open_pages", True),
    "large": ("large:large_installation", False),
}


def function(name: str) -> Callable[[], Iterable[Figure]]:
    module, function = BENCHMARKS[name][0].split(":")
    found: Callable[[], Iterable[Figure]] = getattr(import_module(f"tests.benchmarks.{module}"), function)
    return found
