"""What the front door lets in: measured over a real socket, against the live server."""

import http.client
import os
from contextlib import closing
from typing import Any

import pytest
from django.test import Client

from tests.factories import UserFactory
from tests.live import Server


def _ask(site: Server, method: str, path: str, **kwargs: Any) -> http.client.HTTPResponse:
    with closing(http.client.HTTPConnection(site.host, site.port, timeout=20)) as connection:
        connection.request(method, path, **kwargs)
        return connection.getresponse()


def _knock(site: Server, origin: str | None, host: str | None = None) -> int:
    """The status with which a socket's opening is answered: 101 or a refusal."""
    headers = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Host": host or f"{site.host}:{site.port}",
    }
    return _ask(site, "GET", "/ws/nowhere/", headers={**headers, **({"Origin": origin} if origin else {})}).status


def test_the_sign_in_page_is_served_with_a_policy_that_allows_no_inline_script(live_site: Server) -> None:
    answer = _ask(live_site, "GET", "/accounts/login/?next=/")
    assert answer.status == 200
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_body_beyond_the_limit_is_refused_before_it_is_read(live_site: Server) -> None:
    answer = _ask(live_site, "POST", "/accounts/login/", body=os.urandom(1024 * 1024 + 1))
    assert answer.status == 413


def test_a_chunked_body_beyond_the_limit_is_refused_though_it_declares_no_length(live_site: Server) -> None:
    chunks = (b"x" * 65536 for _ in range(20))
    answer = _ask(
        live_site,
        "POST",
        "/accounts/login/",
        body=chunks,
        encode_chunked=True,
        headers={"Transfer-Encoding": "chunked"},
    )
    assert answer.status == 413


def test_a_host_name_that_is_not_ours_gets_nothing(live_site: Server) -> None:
    assert _ask(live_site, "GET", "/accounts/login/", headers={"Host": "evil.example"}).status == 400


@pytest.mark.parametrize("origin", [None, "null", "http://evil.example", "http://127.0.0.1:1", "https://127.0.0.1"])
def test_a_socket_from_another_origin_is_refused(live_site: Server, origin: str | None) -> None:
    assert _knock(live_site, origin) == 403


def test_a_socket_whose_origin_matches_a_foreign_host_name_is_refused(live_site: Server) -> None:
    assert _knock(live_site, "http://evil.example", host="evil.example") == 403


def test_a_static_file_is_served_compressible_and_safe(live_site: Server) -> None:
    answer = _ask(live_site, "GET", "/static/css/app.css")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == 'text/css; charset="utf-8"'
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    again = _ask(live_site, "GET", "/static/css/app.css", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status == 304


def test_no_path_leads_out_of_the_static_files(live_site: Server) -> None:
    for path in ("/static/../manage.py", "/static/%2e%2e/manage.py", "/static//etc/passwd"):
        assert _ask(live_site, "GET", path).status in {301, 302, 404}


@pytest.mark.django_db
def test_the_admin_has_no_door_of_its_own(client: Client) -> None:
    answer = client.get("/admin/", follow=True)
    assert answer.redirect_chain[-1][0].startswith("/accounts/login/?next=/admin/")
    client.force_login(UserFactory())
    assert client.get("/admin/", follow=True).status_code == 403
