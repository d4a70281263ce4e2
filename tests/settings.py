"""The product's settings for a test process: a data folder of its own, and nobody's keys."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

_folder = tempfile.mkdtemp(prefix="ccdash-tests-")
_owner = os.getpid()


@atexit.register
def _throw_away() -> None:
    if os.getpid() == _owner:
        shutil.rmtree(_folder, ignore_errors=True)


for _name in [name for name in os.environ if name.startswith(("CCDASH_", "OPENAI_", "ANTHROPIC_"))]:
    del os.environ[_name]
# Also for the processes that tests start themselves.
os.environ["CCDASH_DATA_DIR"] = _folder
os.environ["CCDASH_EMBEDDED"] = "0"
os.environ["CCDASH_DISPATCH"] = "inline"

from ccdash.settings import *  # noqa: E402, F403
from ccdash.settings import CHANNEL_LAYERS, DATABASES, ON_POSTGRESQL, REDIS_URL, STORAGES  # noqa: E402

# A file and an explicit name: a live server in another thread or process must see the same database.
DATABASES["default"]["TEST"] = {"NAME": "test_ccdash" if ON_POSTGRESQL else f"{_folder}/test.sqlite3"}
if ON_POSTGRESQL and not REDIS_URL:
    # The database's doorbell belongs to one event loop and one database; tests have many loops and a database of their
    # own. It is tried in a process of its own.
    CHANNEL_LAYERS["default"] = {"BACKEND": "channels.layers.InMemoryChannelLayer"}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
STATIC_ROOT = Path(_folder, "static")
STATIC_ROOT.mkdir()
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False
