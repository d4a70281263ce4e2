"""What one durable step costs: chains and fan-outs driven by one worker, on one thread, so that the parts add up."""

from __future__ import annotations

from collections.abc import Iterator

from tests.benchmarks import ground
from tests.benchmarks.figures import Figure, Spent, median, spending

CHAIN = 100


def expression_checks() -> Iterator[Figure]:
    """A hundred checks that follow from one step, settled in the transaction that finishes it."""
    steps = [ground.command("first"), ground.check("c0", "first")]
    steps += [ground.check(f"c{n}", f"c{n - 1}") for n in range(1, CHAIN)]
    yield _per_step("expression_step", [_driven(steps) for _ in range(5)], CHAIN)


def no_op_chain() -> Iterator[Figure]:
    found = [_driven(ground.chain(CHAIN)) for _ in range(5)]
    yield _per_step("no_op_step", found, CHAIN)
    yield Figure("statements", median([spent.statements / CHAIN for spent in found]))
    yield Figure("commits", median([spent.commits / CHAIN for spent in found]))


def fan_out() -> Iterator[Figure]:
    yield _per_step("fan_out_100", [_driven(ground.fan(100)) for _ in range(5)], 102)


def wide_fan_out() -> Iterator[Figure]:
    yield _per_step("fan_out_1000", [_driven(ground.fan(1000)) for _ in range(3)], 1002)


def _driven(steps: list[ground.Step]) -> Spent:
    run = ground.launch(ground.workflow_of(ground.project_in_folder(), steps))
    first = ground.begin(run)
    with ground.no_op_steps(), spending() as spent:
        ground.drive(run, first)
    return spent


def _per_step(key: str, found: list[Spent], steps: int) -> Figure:
    def each(name: str) -> float:
        return median([getattr(spent, name) for spent in found]) * 1000 / steps

    database, commit = each("database"), each("commit")
    parts = {
        "Python": max(0.0, each("seconds") - database - commit),
        "statements": database,
        "commits": commit,
        "CPU": each("cpu"),
    }
    return Figure(key, each("seconds"), parts)
