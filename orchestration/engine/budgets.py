"""The ledger of what agents use: step within run, and within project and day. Reserved before a call, counted after.

The host of an agent reserves and records here; the engine adds what an approval allowed. Reservations of a project
queue at its row, so that two agents never spend the same rest twice. Prices are not known here.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import models
from django.db.models import Exists, OuterRef, Q, Sum

from orchestration.engine.door import database_now
from orchestration.engine.locks import write_transaction
from orchestration.executors.agents.host import LEAST_OUTPUT_TOKENS, Estimate, Reservation
from orchestration.models import BudgetLedger
from orchestration.models.provider import LedgerKind, LedgerScope
from policy.models import Project

NOTICE = Decimal("0.8")
NAMES = {"step": "The budget of this step", "run": "The budget of the run", "day": "The project's budget of today"}
PLACES = Decimal("0.00000001")


@dataclass(frozen=True)
class Spender:
    """Whose call it is, and the budgets that the plan gives its step and its run."""

    project_id: int
    run_id: uuid.UUID
    step_run_id: int
    attempt_id: uuid.UUID
    step_budget: Mapping[str, Any]
    run_budget: Mapping[str, Any]


@dataclass(frozen=True)
class Room:
    """One limit and how much of it is gone. `fits`: how long an answer may be; None where nobody can tell."""

    scope: str
    unit: str  # tokens | usd
    limit: Decimal  # with what approvals added
    used: Decimal
    asked: Decimal | None  # what the next call may need
    more: Decimal  # what an approval would add
    fits: int | None

    @property
    def is_noticed(self) -> bool:
        return self.used >= self.limit * NOTICE

    @property
    def sentence(self) -> str:
        return f"{NAMES[self.scope]}: {amount(self.used, self.unit)} of {amount(self.limit, self.unit)} used."

    @property
    def refusal(self) -> str:
        if self.fits is None:
            return f"{self.sentence} The price of this model is unknown, so the limit can't be kept."
        return f"{self.sentence} The next call may need {amount(self.asked, self.unit)}."

    def as_data(self) -> dict[str, Any]:
        """What the request for more says; amounts as text, exact."""
        amounts = {name: str(part) if isinstance(part, Decimal) else part for name, part in asdict(self).items()}
        return {**amounts, "sentence": self.refusal, "unpriced": self.fits is None}


@dataclass(frozen=True)
class Reserved:
    reservation: Reservation
    rooms: tuple[Room, ...]
    tightest: Room | None  # what refused the call or shortened its answer


def reserve(spender: Spender, estimate: Estimate) -> Reserved:
    """Keep what one call may use at most, or say which limit is in its way. Without a limit nobody queues."""
    if not any(_limits(spender, Project.objects.all())):
        return Reserved(Reservation(True), (), None)
    with write_transaction():
        rooms = tuple(_rooms(spender, estimate, hold=True))
        tightest = _tightest(rooms, estimate)
        if tightest is not None and not _is_enough(tightest, estimate):
            return Reserved(Reservation(False, tightest.refusal), rooms, tightest)
        length = estimate.output_tokens if tightest is None or tightest.fits is None else tightest.fits
        _add(spender, LedgerKind.RESERVED, estimate.key, _cost(estimate, length), database_now())
    shorter = length if length < estimate.output_tokens else None
    return Reserved(Reservation(True, max_output_tokens=shorter), rooms, tightest)


def record(spender: Spender, key: str, tokens: int, usd: Decimal | None, at: datetime) -> None:
    """Count a call once, inside a change. It was made and paid, so this asks nobody whether it may."""
    _add(spender, LedgerKind.USED, key, (tokens, usd), at)


def rooms_now(spender: Spender, estimate: Estimate) -> tuple[Room, ...]:
    """How the limits stand, for a notice; holds nothing."""
    return tuple(_rooms(spender, estimate, hold=False))


def extend(run: Any, step_run_id: int, approval_id: uuid.UUID, asked: Mapping[str, Any], at: datetime) -> None:
    """What people allowed on top of a limit. Call inside the change that carries their decision."""
    more = Decimal(str(asked["more"]))
    is_money = asked["unit"] == "usd"
    BudgetLedger.objects.create(
        project_id=run.project_id,
        run_id=run.pk,
        step_run_id=step_run_id,
        kind=LedgerKind.EXTENDED,
        scope=asked["scope"],
        key=f"approval-{approval_id}",
        tokens=0 if is_money else int(more),
        usd=more.quantize(PLACES) if is_money else Decimal(0),
        waives_usd=bool(asked.get("unpriced")),
        at=at,
    )


def amount(value: Decimal | None, unit: str) -> str:
    if value is None:
        return "an unknown amount"
    return f"${value:.4f}" if unit == "usd" else f"{int(value):,} tokens"


def _rooms(spender: Spender, estimate: Estimate, *, hold: bool) -> Iterator[Room]:
    projects = Project.objects.select_for_update(no_key=True) if hold else Project.objects.all()
    for scope, budget, where in _places(spender, projects):
        if budget:
            yield from _of_scope(scope, budget, where, estimate)


def _places(spender: Spender, projects: models.QuerySet[Project]) -> Iterator[tuple[str, Mapping[str, Any], Q]]:
    """The three scopes, each with the limits that are set for it."""
    of_step, of_run, of_day = _limits(spender, projects)
    today = database_now().replace(hour=0, minute=0, second=0, microsecond=0)
    yield "step", of_step, Q(step_run=spender.step_run_id)
    yield "run", of_run, Q(run=spender.run_id)
    yield "day", of_day, Q(project=spender.project_id, at__gte=today)


def _limits(spender: Spender, projects: models.QuerySet[Project]) -> tuple[Mapping[str, Any], ...]:
    """Of step, run and day; empty where none is set."""
    found = projects.filter(pk=spender.project_id).values_list("budget_day_tokens", "budget_day_usd")
    day = dict(zip(("max_tokens", "max_cost_usd"), found.get(), strict=True))
    return _set(spender.step_budget), _set(spender.run_budget), _set(day)


def _set(budget: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: limit for name, limit in budget.items() if limit is not None}


def _of_scope(scope: str, budget: Mapping[str, Any], where: Q, estimate: Estimate) -> Iterator[Room]:
    tokens, usd = _spent(where, estimate.key)
    more_tokens, more_usd, is_waived = _extended(scope, where)
    if (limit := budget.get("max_tokens")) is not None:
        yield _token_room(scope, Decimal(limit), more_tokens, tokens, estimate)
    if (money := budget.get("max_cost_usd")) is not None and not is_waived:
        yield _money_room(scope, Decimal(str(money)), more_usd, usd, estimate)


def _token_room(scope: str, given: Decimal, extra: int, used: int, estimate: Estimate) -> Room:
    limit, asked = given + extra, Decimal(estimate.input_tokens + estimate.output_tokens)
    fits = int(limit) - used - estimate.input_tokens
    return Room(scope, "tokens", limit, Decimal(used), asked, max(given, asked), fits)


def _money_room(scope: str, given: Decimal, extra: Decimal, used: Decimal, estimate: Estimate) -> Room:
    limit, asked = given + extra, estimate.usd
    fits = None
    if estimate.usd_per_token is not None:
        of_input, of_output = estimate.usd_per_token
        left = limit - used - of_input * estimate.input_tokens
        fits = int(left / of_output) if of_output else estimate.output_tokens
    return Room(scope, "usd", limit, used, asked, max(given, asked or given), fits)


def _spent(where: Q, but: str) -> tuple[int, Decimal]:
    """What was used, and what open attempts have reserved and not used yet, but for one key."""
    recorded = BudgetLedger.objects.filter(kind=LedgerKind.USED, key=OuterRef("key"))
    is_held = Q(kind=LedgerKind.RESERVED, attempt__finished_at=None) & ~Q(key=but) & ~Exists(recorded)
    rows = BudgetLedger.objects.filter(where & (Q(kind=LedgerKind.USED) | is_held))
    found = rows.aggregate(tokens=Sum("tokens"), usd=Sum("usd"))
    return int(found["tokens"] or 0), Decimal(found["usd"] or 0)


def _extended(scope: str, where: Q) -> tuple[int, Decimal, bool]:
    rows = BudgetLedger.objects.filter(where, kind=LedgerKind.EXTENDED, scope=LedgerScope(scope))
    found = rows.aggregate(tokens=Sum("tokens"), usd=Sum("usd"))
    return int(found["tokens"] or 0), Decimal(found["usd"] or 0), rows.filter(waives_usd=True).exists()


def _tightest(rooms: tuple[Room, ...], estimate: Estimate) -> Room | None:
    """The room that leaves least; None where all leave enough."""
    narrow = [room for room in rooms if room.fits is None or room.fits < estimate.output_tokens]
    return min(narrow, key=lambda room: -1 if room.fits is None else room.fits, default=None)


def _is_enough(room: Room, estimate: Estimate) -> bool:
    return room.fits is not None and room.fits >= min(LEAST_OUTPUT_TOKENS, estimate.output_tokens)


def _cost(estimate: Estimate, output_tokens: int) -> tuple[int, Decimal | None]:
    usd = None
    if estimate.usd_per_token is not None:
        usd = estimate.usd_per_token[0] * estimate.input_tokens + estimate.usd_per_token[1] * output_tokens
    return estimate.input_tokens + output_tokens, usd


def _add(spender: Spender, kind: str, key: str, cost: tuple[int, Decimal | None], at: datetime) -> None:
    """Once for each key: a second row of it is no error and no row."""
    tokens, usd = cost
    row = BudgetLedger(
        project_id=spender.project_id,
        run_id=spender.run_id,
        step_run_id=spender.step_run_id,
        attempt_id=spender.attempt_id,
        kind=kind,
        key=key[:250],
        tokens=tokens,
        usd=None if usd is None else usd.quantize(PLACES),
        at=at,
    )
    BudgetLedger.objects.bulk_create([row], ignore_conflicts=True)
