"""What each reader of a run gets in one round: read once, rendered once for all who are alike. Reads only."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.utils import timezone

from orchestration.models import ExecutionRun, WorkflowRun
from orchestration.reading import lines
from orchestration.reading.lines import Extent
from orchestration.reading.runs import BESIDE
from policy import access
from policy.models import Membership
from policy.models.access import Role
from workbench import fragments
from workbench.run_page.view import RunView, look_at, number_in

Data = dict[str, Any]
# A log that ran on further than this is fetched by the page when its reader wants it.
LINES_BEHIND = 2000


class Reading(Protocol):
    actor: Any
    session_key: str
    session_hash: str
    after: int
    asked: dict[str, str]
    line: int | None
    totals: tuple[int, bool] | None
    role: Any


@dataclass(frozen=True)
class Parcel:
    reader: Any
    html: str
    upto: int
    line: int | None
    totals: tuple[int, bool] | None
    is_behind: bool
    is_last: bool


def parcels(run_id: str, readers: Sequence[Reading]) -> list[Parcel]:
    """For every reader for whom there is something new."""
    run = _run(run_id)
    if run is None:
        return []
    watched = _watched(run, readers)
    if not watched and all(reader.after >= run.last_sequence_no for reader in readers):
        return [_goodbye(reader) for reader in readers] if run.is_final else []
    batch = _Batch(look_at(run), watched)
    made = (batch.parcel(reader) for reader in readers)
    return [parcel for parcel in made if parcel is not None]


def _goodbye(reader: Reading) -> Parcel:
    return Parcel(reader, "", reader.after, None, reader.totals, is_behind=False, is_last=True)


def _run(run_id: str) -> WorkflowRun | None:
    return WorkflowRun.objects.select_related(*BESIDE).defer("version__plan").filter(pk=run_id).first()


@dataclass
class _Batch:
    view: RunView
    watched: dict[tuple[str, int | None], Extent]
    _events: dict[int, list[Data]] = field(default_factory=dict)
    _rendered: dict[Hashable, str] = field(default_factory=dict)

    def parcel(self, reader: Reading) -> Parcel | None:
        events = self._after(reader.after)
        upto = events[-1]["sequence_no"] if events else reader.after
        html = self._history(reader, events) if events else ""
        said, line, totals = self._log(reader)
        is_behind = upto < self.view.run.last_sequence_no
        is_last = self.view.run.is_final and not is_behind
        if not html and not said and not is_last:
            return None
        return Parcel(reader, html + said, upto, line, totals, is_behind=is_behind, is_last=is_last)

    def _after(self, after: int) -> list[Data]:
        if after not in self._events:
            self._events[after] = fragments.events_after(self.view, after)
        return self._events[after]

    def _history(self, reader: Reading, events: Sequence[Data]) -> str:
        shared = self._once(("all", reader.after, *_order(reader)), lambda: self._for_all(reader, events))
        return shared + self._once(self._audience(reader), lambda: self._for_one(reader, events))

    def _for_all(self, reader: Reading, events: Sequence[Data]) -> str:
        return fragments.for_all(self._seen_by(reader) if _order(reader) else self.view, events)

    def _for_one(self, reader: Reading, events: Sequence[Data]) -> str:
        return fragments.for_one(self._seen_by(reader), events)

    def _seen_by(self, reader: Reading) -> RunView:
        return self.view.seen_by(reader.actor, reader.role, reader.asked)

    def _audience(self, reader: Reading) -> Hashable:
        """Readers of one role see the same, unless a decision is waited for or they look at a step."""
        one = reader.actor.user_id if self.view.counts["awaiting_approval"] else None
        chosen = tuple(sorted(reader.asked.items())) if reader.asked.get("step") else None
        return ("one", reader.after, reader.role, one, chosen)

    def _once(self, name: Hashable, render: Any) -> str:
        if name not in self._rendered:
            self._rendered[name] = render()
        return self._rendered[name]

    def _log(self, reader: Reading) -> tuple[str, int | None, tuple[int, bool] | None]:
        found = self.watched.get(_watching(reader))
        if found is None or (found.total, found.open) == reader.totals:
            return "", None, reader.totals
        key, totals = reader.asked["step"], (found.total, found.open)
        count = self._once(("count", key, totals), lambda: fragments.log_count(key, found.total))
        after = reader.line or 0
        if not 0 < found.total - after <= LINES_BEHIND:
            return count, None, totals
        said = self._once(("lines", found.attempt_id, after), lambda: fragments.log_lines(self.view, key, found, after))
        line = min(found.total, after + fragments.LINES_AT_ONCE)
        return said + count, line, totals if line == found.total else None


def _order(reader: Reading) -> tuple[Any, ...]:
    """Rows in plan order are the same for everybody; grouped by state they carry the reader's own address."""
    return tuple(sorted(reader.asked.items())) if reader.asked.get("order") == "state" else ()


def _watching(reader: Reading) -> tuple[str, int | None]:
    return reader.asked.get("step", ""), number_in(reader.asked, "attempt")


def _watched(run: WorkflowRun, readers: Iterable[Reading]) -> dict[tuple[str, int | None], Extent]:
    """The attempts whose log somebody has open, with how far they reach now, where that is news."""
    wanted = {_watching(reader) for reader in readers if reader.line is not None and reader.asked.get("step")}
    if not wanted:
        return {}
    keys = {key for key, _ in wanted}
    rows = ExecutionRun.objects.filter(run=run, step_run__key__in=keys).exclude(step_run__state="superseded")
    rows = rows.exclude(outcome="returned").select_related("step_run").order_by("number")
    by_key: dict[str, list[ExecutionRun]] = {}
    for attempt in rows:
        by_key.setdefault(attempt.step_run.key, []).append(attempt)
    found = {}
    for key, number in wanted:
        of_step = [one for one in by_key.get(key, []) if number in (None, one.number)]
        if of_step:
            found[key, number] = lines.extent(of_step[-1])
    news = {_watching(reader) for reader in readers if reader.totals != _reach(found.get(_watching(reader)))}
    return {name: extent for name, extent in found.items() if name in news}


def _reach(found: Extent | None) -> tuple[int, bool] | None:
    return (found.total, found.open) if found else None


def still_welcome(run_id: str, readers: Sequence[Reading]) -> dict[Any, Role]:
    """The role of each reader who may still see this run, in four statements for all of them."""
    run = WorkflowRun.objects.select_related("project").filter(pk=run_id).first()
    if run is None:
        return {}
    users = {user.pk: user for user in User.objects.filter(pk__in={r.actor.user_id for r in readers}, is_active=True)}
    held = dict(Membership.objects.filter(project=run.project, user__in=users).values_list("user_id", "role"))
    keys = {reader.session_key for reader in readers}
    valid = Session.objects.filter(session_key__in=keys, expire_date__gt=timezone.now())
    sessions = set(valid.values_list("session_key", flat=True))
    return {
        reader: role
        for reader in readers
        if reader.session_key in sessions and (role := _role(users.get(reader.actor.user_id), held, reader)) is not None
    }


def _role(user: User | None, held: dict[int, str], reader: Reading) -> Role | None:
    if user is None or user.get_session_auth_hash() != reader.session_hash:
        return None
    if user.is_superuser:
        return Role.ADMIN
    role = held.get(user.pk)
    return Role(role) if role and access.allows(Role(role), access.Permission.VIEW) else None
