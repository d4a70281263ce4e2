"""Connects to the address that was looked at: a name that points elsewhere a moment later leads nowhere.

`reach` is how far an address that a project names may lead: "none" beyond public addresses, "loopback" to this machine
as well, "all" also into private networks. Link-local addresses, where clouds keep credentials, are in none of them.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from typing import Any

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
NAT64 = ipaddress.ip_network("64:ff9b::/96")


def addresses_of(host: str, port: int | None = None) -> list[Address]:
    """Where the name leads now. Raises OSError or UnicodeError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(ipaddress.ip_address(str(entry[4][0]).split("%")[0]) for entry in found))


def is_allowed(address: Address, reach: str) -> bool:
    return all(_is_allowed(one, reach) for one in (address, *_inside(address)))


def _inside(address: Address) -> Iterable[Address]:
    """Addresses of version 4 that one of version 6 stands for."""
    if not isinstance(address, ipaddress.IPv6Address):
        return ()
    nat64 = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF) if address in NAT64 else None
    found = (address.ipv4_mapped, address.sixtofour, address.teredo[1] if address.teredo else None, nat64)
    return [one for one in found if one is not None]


def _is_allowed(address: Address, reach: str) -> bool:
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        return True  # what it stands for decides
    if address.is_link_local or address.is_multicast or address.is_unspecified:
        return False
    if address.is_loopback:
        return reach in ("loopback", "all")
    return address.is_global or (address.is_private and reach == "all")


def transport(verify: Any, reach: str) -> Any:
    """An HTTP transport that goes only where `reach` allows."""
    import httpcore2
    import httpx2

    class Checked(httpcore2.SyncBackend):
        def connect_tcp(self, host: str, port: int, *rest: Any, **more: Any) -> Any:
            try:
                found = addresses_of(host, port)
            except (OSError, UnicodeError) as error:
                raise httpcore2.ConnectError(str(error)) from error
            if not found or not all(is_allowed(address, reach) for address in found):
                raise httpcore2.ConnectError(f"The name {host} leads to an address that is not sent to.")
            return _first(super().connect_tcp, found, port, rest, more)

    def _first(connect: Any, found: list[Address], port: int, rest: tuple[Any, ...], more: dict[str, Any]) -> Any:
        for address in found[:-1]:
            try:
                return connect(str(address), port, *rest, **more)
            except httpcore2.ConnectError:
                continue
        return connect(str(found[-1]), port, *rest, **more)

    made = httpx2.HTTPTransport(verify=verify)
    made._pool = httpcore2.ConnectionPool(
        ssl_context=made._pool._ssl_context,
        max_connections=100,
        max_keepalive_connections=20,
        keepalive_expiry=5.0,
        network_backend=Checked(),
    )
    return made
