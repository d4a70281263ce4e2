"""Where an address that a project names may lead, and that the connection goes to the address that was looked at."""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import httpx2
import pytest

from orchestration.providers import reaching
from orchestration.providers.config import ProviderConfig
from orchestration.providers.wire import Wire

pytestmark = pytest.mark.pure
PUBLIC = "93.184.216.34"


@pytest.mark.parametrize(
    "text",
    [
        "169.254.169.254", "fe80::1", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1",
        "0.0.0.0", "::", "224.0.0.1", "ff02::1",
    ],
)  # fmt: skip
@pytest.mark.parametrize("reach", ["none", "loopback", "all"])
def test_addresses_of_clouds_and_of_everybody_are_never_sent_to(text: str, reach: str) -> None:
    assert not reaching.is_allowed(ipaddress.ip_address(text), reach)


@pytest.mark.parametrize(
    ("text", "needed"),
    [
        ("127.0.0.1", "loopback"), ("::1", "loopback"), ("::ffff:127.0.0.1", "loopback"), ("127.8.8.8", "loopback"),
        ("10.0.0.5", "all"), ("192.168.1.1", "all"), ("172.16.0.1", "all"), ("fd00::1", "all"),
        ("::ffff:10.0.0.5", "all"), ("64:ff9b::a00:5", "all"), (PUBLIC, "none"), ("2606:2800:220:1::1", "none"),
        ("::ffff:93.184.216.34", "none"),
    ],
)  # fmt: skip
def test_private_networks_and_this_machine_need_to_be_allowed(text: str, needed: str) -> None:
    order = ["none", "loopback", "all"]
    allowed = [reach for reach in order if reaching.is_allowed(ipaddress.ip_address(text), reach)]
    assert allowed == order[order.index(needed) :]


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(302 if self.path == "/moved" else 200)
            self.send_header("Location", "/elsewhere")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Silent."""

    made = HTTPServer(("127.0.0.1", 0), Handler)
    made.asked = asked  # type: ignore[attr-defined]
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


def leading(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """The name api.example leads to these addresses, one after the other each time it is asked; the last stays."""
    left, real = list(addresses), socket.getaddrinfo

    def answer(host: str, *rest: Any, **more: Any) -> Any:
        if host != "api.example":
            return real(host, *rest, **more)
        return real(left.pop(0) if len(left) > 1 else left[0], *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", answer)


def test_a_name_that_points_elsewhere_by_the_time_of_the_connection_leads_nowhere(
    server: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    leading(monkeypatch, PUBLIC, "127.0.0.1")
    assert reaching.is_allowed(reaching.addresses_of("api.example")[0], "none")
    wire = Wire(ProviderConfig("openai", base_url="http://api.example", reach="none"))

    with pytest.raises(httpx2.ConnectError):
        wire.client.get(f"http://api.example:{server.server_port}/v1")

    assert server.asked == []  # type: ignore[attr-defined]


def test_the_connection_goes_to_the_address_that_was_looked_at(
    server: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    leading(monkeypatch, "127.0.0.1", "169.254.169.254")
    wire = Wire(ProviderConfig("openai", base_url="http://api.example", reach="loopback"))

    answer = wire.client.get(f"http://api.example:{server.server_port}/moved")

    assert (answer.status_code, server.asked) == (302, ["/moved"])  # type: ignore[attr-defined]
