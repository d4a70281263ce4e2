"""All checks in their order. A check that breaks is a finding itself; where the database fails, what needs it waits."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ccdash.doctor import machine, surroundings, work
from ccdash.doctor.finding import FAIL, Finding, fail

Check = Callable[[], Iterator[Finding]]
WITHOUT_DATABASE: tuple[Check, ...] = (
    machine.settings_agree,
    machine.data_folder,
    machine.disk,
    machine.git,
    machine.sandbox,
)
WITH_SCHEMA: tuple[Check, ...] = (
    work.workers,
    work.boundaries,
    work.worktrees,
    work.audit_log,
    work.audit_delivery_ways,
)


def look(*, network: bool = False) -> Iterator[Finding]:
    for check in WITHOUT_DATABASE:
        yield from _safely(check)
    broken = False
    for finding in _safely(surroundings.database):
        broken |= finding.status == FAIL
        yield finding
    yield from _safely(surroundings.channel_layer)
    yield from _safely(surroundings.broker)
    yield from _safely(lambda: surroundings.providers(network=network))
    for check in () if broken else WITH_SCHEMA:
        yield from _safely(check)


def _safely(check: Check) -> Iterator[Finding]:
    try:
        yield from check()
    except Exception as error:  # noqa: BLE001
        # Whatever is broken here, the other parts can still be looked at. Its text may hold an address with a password.
        yield fail(
            getattr(check, "__name__", "check"), f"This could not be looked at: {type(error).__name__}.", "See the log."
        )
