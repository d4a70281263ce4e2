"""Somebody's own account: tokens shown once, revoked by their owner alone; the password."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from policy import tokens
from policy.models import ApiToken
from tests.factories import PASSWORD, ApiTokenFactory, UserFactory
from tests.workbench.visitors import text_of, visitor

pytestmark = pytest.mark.django_db


@pytest.fixture
def user() -> User:
    return UserFactory()


@pytest.fixture
def client(user: User) -> Client:
    return visitor(user)


def made(client: Client, **more: Any) -> str:
    answer = client.post("/account/tokens/", {"name": "nightly", "days": "90", **more}, follow=True)
    assert answer.redirect_chain == [("/account/", 303)]
    found = re.search(r"ccd_[\w-]+", answer.content.decode())
    assert found
    return found[0]


def test_a_token_is_shown_once_and_works(client: Client, user: User) -> None:
    raw = made(client)
    assert raw not in client.get("/account/").content.decode()
    found = tokens.authenticate(raw)
    assert found is not None
    assert (found.user, found.may_approve, found.name) == (user, False, "nightly")
    assert found.expires_at is not None


def test_a_token_that_may_decide_and_never_expires_is_a_choice(client: Client) -> None:
    made(client, may_approve="on", days="0")
    token = ApiToken.objects.get()
    assert token.may_approve
    assert token.expires_at is None


def test_a_token_needs_a_name(client: Client) -> None:
    answer = client.post("/account/tokens/", {"name": "", "days": "90"})
    assert answer.status_code == 422
    assert not ApiToken.objects.exists()


def test_a_revoked_token_is_dead_and_a_second_press_changes_nothing(client: Client) -> None:
    raw = made(client)
    path = f"/account/tokens/{ApiToken.objects.get().pk}/revocation/"
    for _ in range(2):
        assert client.post(path).status_code == 303
    assert tokens.authenticate(raw) is None
    assert "revoked" in text_of(client.get("/account/"))


def test_tokens_of_others_are_not_there(client: Client) -> None:
    other = ApiTokenFactory()
    assert other.prefix not in text_of(client.get("/account/"))
    assert client.post(f"/account/tokens/{other.pk}/revocation/").status_code == 404
    other.refresh_from_db()
    assert other.revoked_at is None


def test_looking_makes_nothing(client: Client) -> None:
    assert client.get("/account/tokens/").status_code == 405
    assert not ApiToken.objects.exists()


def test_the_password_is_changed_by_who_knows_it(client: Client, user: User) -> None:
    new = "another long sentence 17"
    wrong = {"old_password": "guess", "new_password1": new, "new_password2": new}
    assert client.post("/accounts/password/", wrong).status_code == 422
    assert client.post("/accounts/password/", {**wrong, "old_password": PASSWORD})["Location"] == "/account/"
    user.refresh_from_db()
    assert user.check_password(new)
    assert client.get("/account/").status_code == 200


def test_more_tokens_cost_no_more_statements(client: Client, user: User, django_assert_max_num_queries: Any) -> None:
    client.get("/account/")
    for size in (1, 8):
        ApiTokenFactory.create_batch(size, user=user)
        with django_assert_max_num_queries(10):
            client.get("/account/")
