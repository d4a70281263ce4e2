"""The product's own settings, but for static files, which are taken from where they are written."""

from ccdash.settings import *  # noqa: F403
from ccdash.settings import STORAGES

STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
WHITENOISE_USE_FINDERS = True
