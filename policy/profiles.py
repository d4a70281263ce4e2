"""Named sets of environment variables and secrets of a project, that steps ask for by name.

Values here are no secrets: everybody in the project sees them. The engine fills them in when a step's gate forms and
when it starts, so a change is judged, shown and part of what is approved.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from django.db import transaction

from policy import access, audit
from policy.actors import Actor
from policy.errors import Invalid
from policy.models import EnvProfile, Project

NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
SECRET = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
LONGEST_VALUE = 65_536
MOST = 200


def set_profile(
    project: Project, name: str, *, env: Mapping[str, str], secrets: Sequence[str], by: Actor
) -> EnvProfile:
    """Make a profile, or replace all that it holds."""
    access.require(by, access.Permission.MANAGE, project)
    _check(name, env, secrets)
    held = {"env": dict(env), "secrets": sorted(set(secrets))}
    with transaction.atomic():
        before = EnvProfile.objects.select_for_update().filter(project=project, name=name).first()
        profile, is_new = EnvProfile.objects.update_or_create(
            project=project, name=name, defaults={**held, "updated_by_id": by.user_id}
        )
        audit.append(
            "env_profile.created" if is_new else "env_profile.changed",
            actor=by,
            project=project.slug,
            subject=f"env_profile:{project.pk}:{name}",
            before={"env": before.env, "secrets": before.secrets} if before else {},
            after={"name": name, **held},
        )
    return profile


def remove_profile(project: Project, name: str, by: Actor) -> None:
    access.require(by, access.Permission.MANAGE, project)
    with transaction.atomic():
        removed, _ = EnvProfile.objects.filter(project=project, name=name).delete()
        if not removed:
            raise Invalid(f"This project has no environment profile {name!r}.")
        audit.append(
            "env_profile.removed",
            actor=by,
            project=project.slug,
            subject=f"env_profile:{project.pk}:{name}",
            before={"name": name},
        )


def _check(name: str, env: Mapping[str, str], secrets: Sequence[str]) -> None:
    if not NAME.fullmatch(name):
        raise Invalid("A profile's name begins with a small letter and goes on with those, digits, - and _.")
    if len(env) > MOST or len(secrets) > MOST:
        raise Invalid(f"A profile holds at most {MOST} variables and {MOST} secrets.")
    for variable, value in env.items():
        if not VARIABLE.fullmatch(variable):
            raise Invalid(f"{variable[:80]!r} can't be the name of a variable: letters, digits and underscores only.")
        if variable.startswith("CCDASH_"):
            raise Invalid(f"{variable} is set by the product itself.")
        if "\0" in value or len(value) > LONGEST_VALUE:
            raise Invalid(f"The value of {variable} can't be used: it is too long or holds a NUL character.")
        if "${{" in value:
            raise Invalid(f"The value of {variable} is taken as it is: nothing is filled into a profile.")
    for secret in secrets:
        if not SECRET.fullmatch(secret):
            raise Invalid(f"{secret[:80]!r} can't be the name of a secret.")
