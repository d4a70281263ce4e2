"""Who is offered orchestration: the flag of that name, unless the project has a flag of its own."""

from __future__ import annotations

import waffle
from django.http import HttpRequest

from policy.errors import NotAllowed
from policy.models import Project

ORCHESTRATION = "orchestration"


class SwitchedOff(NotAllowed):
    """Orchestration is switched off for you here; single runs work as ever. An admin can turn it on."""

    code = "switched_off"


def offers_orchestration(request: HttpRequest, project: Project) -> bool:
    own = waffle.get_waffle_flag_model().get(f"{ORCHESTRATION}:{project.slug}")
    return bool(own.is_active(request) if own.pk else waffle.flag_is_active(request, ORCHESTRATION))


def require_orchestration(request: HttpRequest, project: Project) -> None:
    if not offers_orchestration(request, project):
        raise SwitchedOff
