"""People at the pages, as a browser without scripts would be."""

from __future__ import annotations

import html
import re

from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import Client

from tests.factories import UserFactory

HTMX = {"HX-Request": "true"}


def visitor(user: User | None = None) -> Client:
    client = Client()
    client.force_login(user or UserFactory())
    return client


def text_of(response: HttpResponse) -> str:
    """What a reader sees, tags and doubled blanks taken out."""
    return html.unescape(" ".join(re.sub(r"<[^>]*>", " ", response.content.decode()).split()))


def value_of(response: HttpResponse, name: str) -> str:
    """Of a hidden field."""
    found = re.search(rf'name="{name}" value="([^"]*)"', response.content.decode())
    assert found, f"no field {name}"
    return found[1]
