"""How a project reaches its agent providers: set, read, try out. Keys are encrypted at rest and never shown again.

Pages, the API and commands come here; the host of an agent gets the whole configuration. Every change is audited,
without the key.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Any

from django.conf import settings

from orchestration import provider_addresses
from orchestration.engine.locks import write_transaction
from orchestration.models import ProviderSettings
from orchestration.providers import PROVIDERS
from orchestration.providers.base import Provider, ProviderError
from orchestration.providers.config import ProviderConfig, from_environment, key_problems, resolve_config
from policy import access, audit, secrets
from policy.actors import Actor
from policy.errors import Invalid, PolicyError
from policy.models import Project

LONGEST_KEY = 4096
KEY_GONE = "The address changed, so its key was removed: give the key again if that server needs one."


@dataclass(frozen=True)
class Health:
    """What people are shown of a provider in a project. `key` is masked."""

    name: str
    label: str
    simulated: bool
    configured: bool
    problems: tuple[str, ...]
    base_url: str
    model: str
    key: str
    foreground: bool
    source: str  # project | environment | built in
    capabilities: Any


def set_provider(
    project: Project,
    provider: str,
    *,
    by: Actor,
    base_url: str = "",
    model: str = "",
    foreground: bool = False,
    key: str | None = None,
) -> bool:
    """Store how to reach it. A `key` of None keeps the stored one, unless the address changes; "" removes it.

    Answers whether a key went because the address changed.
    """
    access.require(by, access.Permission.MANAGE, project)
    _check(provider, base_url, model, key)
    with write_transaction():
        old = ProviderSettings.objects.filter(project=project, provider=provider).first()
        before = _told(old)
        stored = old or ProviderSettings(project=project, provider=provider)
        is_elsewhere = key is None and old is not None and old.base_url != base_url
        if is_elsewhere:
            key = ""  # a key is given to one address; whoever changes the address must know it
        if key is not None:
            stored.key_ciphertext = secrets.encrypt(key, context=_place(project, provider)) if key else b""
        stored.base_url, stored.model, stored.foreground = base_url, model, foreground
        stored.updated_by_id = by.user_id
        stored.save()
        audit.append(
            "provider.set",
            actor=by,
            project=project.slug,
            subject=f"provider:{project.pk}:{provider}",
            before=before,
            after={**_told(stored), "key_replaced": key is not None},
        )
    return is_elsewhere and bool(before.get("has_key"))


def remove_provider(project: Project, provider: str, *, by: Actor) -> None:
    """Back to what the server's environment says."""
    access.require(by, access.Permission.MANAGE, project)
    with write_transaction():
        old = ProviderSettings.objects.filter(project=project, provider=provider).first()
        if old is None:
            return
        before = _told(old)
        old.delete()
        audit.append(
            "provider.removed",
            actor=by,
            project=project.slug,
            subject=f"provider:{project.pk}:{provider}",
            before=before,
        )


def config_of(project: Project, provider: str) -> ProviderConfig:
    """The configuration that counts in this project, with its key: for the worker, never for a page."""
    stored = ProviderSettings.objects.filter(project=project, provider=provider).first()
    own = None
    if stored is not None:
        key = bytes(stored.key_ciphertext)
        own = ProviderConfig(
            name=provider,
            base_url=stored.base_url,
            model=stored.model,
            foreground=stored.foreground,
            api_key=secrets.decrypt(key, context=_place(project, provider)) if key else "",
        )
    found = resolve_config(provider, own, os.environ)
    return replace(found, reach=settings.ALLOW_PRIVATE_PROVIDERS) if _is_foreign(found) else found


def usable_config(project: Project, provider: str) -> ProviderConfig:
    """The same, if its address may be used now. Raises Invalid: a name may point elsewhere than when it was set."""
    config = config_of(project, provider)
    check_address(config)
    return config


def check_address(config: ProviderConfig) -> None:
    """Raises Invalid where it may not be sent to now. Looks the name up: that can take as long as a network may."""
    if found := _address_problems(config):
        raise Invalid(" ".join(found))


def keys_of(project: Project) -> dict[str, str]:
    """Every key that the project's agents may be given, for redaction; one statement."""
    found = {name: from_environment(name, os.environ).api_key for name in PROVIDERS}
    rows = ProviderSettings.objects.filter(project=project).values_list("provider", "key_ciphertext")
    for provider, ciphertext in rows:
        try:
            found[f"{provider}_project"] = secrets.decrypt(bytes(ciphertext), context=_place(project, provider))
        except PolicyError:
            continue  # what can't be decrypted can't be printed either
    return {f"{name.upper()}_API_KEY": key for name, key in found.items() if key}


def health(project: Project | None, provider: str) -> Health:
    """How it stands, without asking the provider anything."""
    try:
        config = config_of(project, provider) if project is not None else resolve_config(provider, None, os.environ)
        unreadable: list[str] = []
    except PolicyError as error:
        config, unreadable = from_environment(provider, os.environ), [str(error)]
    made = PROVIDERS[provider](config)
    told = [*unreadable, *made.validate_config({"model": "any", "prompt": "any"})]
    can = made.capabilities()
    is_own = project is not None and ProviderSettings.objects.filter(project=project, provider=provider).exists()
    return Health(
        name=provider,
        label=made.label,
        simulated=can.simulated,
        configured=not told,
        problems=tuple(told),
        base_url=config.base_url,
        model=config.model,
        key=config.masked_key,
        foreground=config.foreground,
        source="project" if is_own else ("built in" if can.simulated else "environment"),
        capabilities=can,
    )


def test_connection(project: Project, provider: str, *, by: Actor) -> list[str]:
    """Ask the provider something cheap; sentences about what is wrong, none when all is well."""
    access.require(by, access.Permission.MANAGE, project)
    _known(provider)
    try:
        made = PROVIDERS[provider](usable_config(project, provider))
    except PolicyError as error:
        return [str(error)]
    return _tried(made)


def _tried(made: Provider) -> list[str]:
    try:
        return made.check()
    except ProviderError as error:
        return [error.sentence]
    finally:
        made.close()


def _address_problems(config: ProviderConfig) -> list[str]:
    return provider_addresses.problems(config.base_url) if _is_foreign(config) else []


def _is_foreign(config: ProviderConfig) -> bool:
    server = from_environment(config.name, os.environ)
    return bool(config.base_url) and config.base_url.rstrip("/") != server.base_url.rstrip("/")


def _check(provider: str, base_url: str, model: str, key: str | None) -> None:
    _known(provider)
    if provider == "simulated":
        raise Invalid("The simulated provider has nothing to set.", field="provider")
    if len(base_url) > 500 or len(model) > 100:
        raise Invalid("An address has at most 500 characters, a model's name 100.", field="base_url")
    if base_url and (found := provider_addresses.problems(base_url)):
        raise Invalid(" ".join(found), field="base_url")
    if key and (len(key) > LONGEST_KEY or key_problems(ProviderConfig(provider, "custom", key))):
        raise Invalid("The key holds characters that no key has, or is too long.", field="key")


def _known(provider: str) -> None:
    if provider not in PROVIDERS:
        raise Invalid(f"There is no provider {provider[:40]!r}; there are {', '.join(PROVIDERS)}.", field="provider")


def _told(stored: ProviderSettings | None) -> dict[str, Any]:
    if stored is None:
        return {}
    return {
        "base_url": stored.base_url,
        "model": stored.model,
        "foreground": stored.foreground,
        "has_key": bool(bytes(stored.key_ciphertext)),
    }


def _place(project: Project, provider: str) -> str:
    return f"provider:{project.pk}:{provider}"
