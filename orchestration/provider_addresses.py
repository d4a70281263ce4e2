"""Which addresses of providers the server may talk to. Asked when an address is set and each time it is used; the
connection itself goes to an address that was looked at (`providers.reaching`).

A project's admin names the address, the server sends to it: so private networks stay out of reach, but for this
machine itself, where local model servers live. Link-local addresses (cloud metadata) never pass.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from django.conf import settings

from orchestration.providers import reaching
from orchestration.providers.config import address_problems


def problems(base_url: str) -> list[str]:
    """Sentences about why this address is not used; none where it may be."""
    if found := address_problems(base_url):
        return found
    host = urlsplit(base_url).hostname or ""
    try:
        addresses = reaching.addresses_of(host)
    except (OSError, UnicodeError):
        return [f"The host {host} can't be found."]
    if all(reaching.is_allowed(address, settings.ALLOW_PRIVATE_PROVIDERS) for address in addresses):
        return []
    return [
        f"The address {host} lies in a private network, and this installation does not send to it "
        "(CCDASH_ALLOW_PRIVATE_PROVIDERS)."
    ]
