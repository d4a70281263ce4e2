"""A person signs in: in light and dark, by keyboard, and into the admin."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import BrowserContext, Page, expect

from tests.factories import PASSWORD, UserFactory
from tests.live import Server


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_sign_in_page_is_accessible(
    page: Page, live_site: Server, problems: Callable[[Page], list[str]], scheme: str
) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(f"{live_site.url}/accounts/login/")
    assert problems(page) == []


def test_signing_in_by_keyboard_leads_to_where_one_was_going(page: Page, live_site: Server) -> None:
    UserFactory(username="ada", is_staff=True, is_superuser=True)
    page.goto(f"{live_site.url}/accounts/login/?next=/admin/")
    page.keyboard.type("ada")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{live_site.url}/admin/")


def test_the_admin_works_under_the_content_policy(
    context: BrowserContext, live_site: Server, sign_in: Callable[[BrowserContext, User], None]
) -> None:
    sign_in(context, UserFactory(username="ada", is_staff=True, is_superuser=True))
    page = context.new_page()
    page.goto(f"{live_site.url}/admin/auth/user/add/")
    expect(page.locator("#id_username")).to_be_visible()
    page.goto(f"{live_site.url}/admin/auth/user/")
    expect(page.get_by_role("link", name="ada")).to_be_visible()
