"""Registers the checks of the whole."""

from django.apps import AppConfig


class CcdashConfig(AppConfig):
    name = "ccdash"

    def ready(self) -> None:
        from ccdash import checks  # noqa: F401
