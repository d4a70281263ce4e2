"""Which addresses of providers the server may talk to. Asked when an address is set and each time it is used.

A project's admin names the address, the server sends to it: so private networks stay out of reach, but for this
machine itself, where local model servers live. Link-local addresses (cloud metadata) never pass.
"""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

from django.conf import settings

from orchestration.providers.config import address_problems

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def problems(base_url: str) -> list[str]:
    """Sentences about why this address is not used; none where it may be."""
    if found := address_problems(base_url):
        return found
    host = urlsplit(base_url).hostname or ""
    try:
        addresses = {_plain(entry[4][0]) for entry in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError):
        return [f"The host {host} can't be found."]
    refused = [address for address in addresses if not _is_allowed(address)]
    if not refused:
        return []
    return [
        f"The address {host} lies in a private network, and this installation does not send to it "
        "(CCDASH_ALLOW_PRIVATE_PROVIDERS)."
    ]


def _plain(text: str | int) -> Address:
    address = ipaddress.ip_address(str(text).split("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address


def _is_allowed(address: Address) -> bool:
    if address.is_link_local or address.is_multicast or address.is_unspecified:
        return False
    if address.is_loopback:
        return settings.ALLOW_PRIVATE_PROVIDERS in ("loopback", "all")
    return address.is_global or (address.is_private and settings.ALLOW_PRIVATE_PROVIDERS == "all")
