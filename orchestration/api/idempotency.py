"""A POST with an `Idempotency-Key` has one effect, however often it comes.

The effect and its answer are committed together: a repeat gets the first answer, another body under the same key is
refused, and of two at once the second waits for the first. What was refused changed nothing and is judged anew.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
import time
from collections.abc import Callable
from typing import Any, cast

from django.db import IntegrityError, OperationalError, connection, transaction
from django.http import HttpRequest
from pydantic import BaseModel

from orchestration.api.auth import asker
from orchestration.api.rendering import Answer
from orchestration.engine.errors import Busy, EngineError, InvalidInput, why_not_written
from orchestration.engine.locks import write_transaction
from orchestration.models import Command
from policy.actors import Actor
from policy.errors import Conflict, PolicyError

HEADER = "Idempotency-Key"
PATTERN = r"^[!-~]{1,200}$"
ATTEMPTS = 5
Effect = Callable[[], Answer]
Refused = Callable[[Exception], None]


class KeyReused(Conflict):
    """This idempotency key was used with another request; take a new one."""

    code = "idempotency_key_reused"


def once(request: HttpRequest, body: Any, effect: Effect, *, refused: Refused | None = None) -> Answer:
    """Do it, or answer what was answered. `refused` keeps the trace of a refusal that would be rolled back."""
    key = request.headers.get(HEADER)
    if key is None:
        return effect()
    if not re.fullmatch(PATTERN, key):
        raise InvalidInput([(HEADER, "The key must be 1 to 200 visible ASCII characters without spaces.")])
    by, operation = asker(request), f"{request.method} {request.path}"
    return perform(by, key, operation, body, effect, refused=refused)


def perform(
    by: Actor, key: str, operation: str, body: Any, effect: Effect, *, refused: Refused | None = None
) -> Answer:
    """The same for whoever brings a key of their own, as the pages' forms do."""
    command = Command(
        user_id=cast(int, by.user_id),
        key=key,
        operation=operation[:300],
        body_digest=_digest(body),
        status=0,
        answer={},
    )
    try:
        return _with_patience(lambda: _once(command, effect))
    except (EngineError, PolicyError) as refusal:
        if refused is not None:
            refused(refusal)
        raise


def _once(command: Command, effect: Effect) -> Answer:
    with write_transaction():
        earlier = _earlier(command) or _claim(command)
        if earlier is not None:
            return _replayed(command, earlier)
        answer = effect()
        Command.objects.filter(pk=command.pk).update(status=answer.status_code, answer=answer.data)
        return answer


def _claim(command: Command) -> Command | None:
    """Take the key; where somebody else takes it at this moment, wait for what came of that."""
    command.pk = None
    try:
        with transaction.atomic():
            command.save(force_insert=True)
    except IntegrityError:
        return _earlier(command)
    return None


def _earlier(command: Command) -> Command | None:
    return Command.objects.filter(user=command.user_id, key=command.key).first()


def _replayed(command: Command, earlier: Command) -> Answer:
    if (earlier.operation, earlier.body_digest) != (command.operation, command.body_digest):
        raise KeyReused
    return Answer(earlier.answer, earlier.status)


def _with_patience(attempt: Callable[[], Answer]) -> Answer:
    for count in range(ATTEMPTS):
        try:
            return attempt()
        except (Busy, OperationalError) as error:
            if connection.in_atomic_block or count == ATTEMPTS - 1:
                raise Busy(str(error) if isinstance(error, Busy) else why_not_written(error)) from error
            time.sleep(random.uniform(0.01, 0.05) * 2**count)  # noqa: S311
    raise AssertionError("unreachable")


def _digest(body: Any) -> str:
    data = body.model_dump(mode="json", by_alias=True) if isinstance(body, BaseModel) else body
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()
