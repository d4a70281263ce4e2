"""Settings of CCDash Workbench, read from the environment.

Each variable is read once, here, by a loud helper, and listed in the README. Combinations that make no sense are
system checks (`ccdash/checks.py`).
"""

from pathlib import Path

from csp.constants import NONE, SELF

from ccdash import data_folder, database, env, logs

BASE_DIR = Path(__file__).resolve().parent.parent

# Where everything lives that is ours to keep
DATA_DIR = data_folder.prepare(env.folder("CCDASH_DATA_DIR", default=BASE_DIR / "var"))
ARTIFACTS_DIR = DATA_DIR / "artifacts"
SPOOL_DIR = DATA_DIR / "spool"
WORKTREES_DIR = DATA_DIR / "worktrees"
SECRET_KEY = env.secret("CCDASH_SECRET_KEY", at_least=32) or data_folder.secret_key(DATA_DIR)
SECRETS_KEY = env.secret("CCDASH_SECRETS_KEY", at_least=44)
AUDIT_KEY_FILE = env.text("CCDASH_AUDIT_KEY_FILE")
AUDIT_COPY_DIR = env.text("CCDASH_AUDIT_COPY_DIR")
AUDIT_WEBHOOK = env.private_url("CCDASH_AUDIT_WEBHOOK", example="https://audit.example.org/checkpoints")
AUDIT_WEBHOOK_TOKEN = env.bearer("CCDASH_AUDIT_WEBHOOK_TOKEN")
AUDIT_GIT_REMOTE = env.git_remote("CCDASH_AUDIT_GIT_REMOTE", example="ssh://git@audit.example.org/checkpoints.git")

# Where we listen, and under which names
HOST = env.host("HOST", default="127.0.0.1")
PORT = env.integer("PORT", default=8000, low=1, high=65535)
HTTPS = env.flag("CCDASH_HTTPS", default=False)
URL = f"http://{HOST}:{PORT}/"
OWN_NAMES = ["localhost", "127.0.0.1", "[::1]"]
ALLOWED_HOSTS = [*env.host_names("CCDASH_ALLOWED_HOSTS"), *OWN_NAMES]
DEBUG = False

# How work is done
WORKERS = env.integer("CCDASH_WORKERS", default=16, low=1, high=256)
EMBEDDED = env.flag("CCDASH_EMBEDDED", default=True)
# How long the worktree of a run that is over stays; 0: for ever
WORKTREE_DAYS = env.integer("CCDASH_WORKTREE_DAYS", default=14, low=0, high=3650)
SANDBOX = env.choice("CCDASH_SANDBOX", default="none", allowed=("none", "bubblewrap"))
# How much memory each process of a command may take, in MiB; 0: as much as there is
COMMAND_MEMORY_MB = env.integer("CCDASH_COMMAND_MEMORY_MB", default=0, low=0, high=1_048_576)
# Whether projects may name model servers on this machine (such as Ollama), on its private networks, or neither
ALLOW_PRIVATE_PROVIDERS = env.choice(
    "CCDASH_ALLOW_PRIVATE_PROVIDERS", default="loopback", allowed=("none", "loopback", "all")
)
DEMO = env.flag("CCDASH_DEMO", default=True)

# What it stands on
DATABASE_URL = env.url(
    "DATABASE_URL", schemes=("sqlite", "postgres", "postgresql"), example="postgresql://user:password@host/database"
)
REDIS_URL = env.url("REDIS_URL", schemes=("redis", "rediss", "unix"), example="redis://host:6379/0")
DATABASES = {"default": database.describe(DATABASE_URL, data_dir=DATA_DIR, workers=WORKERS)}
ON_POSTGRESQL = DATABASES["default"]["ENGINE"] == "django.db.backends.postgresql"
if not ON_POSTGRESQL:
    data_folder.keep_private(Path(DATABASES["default"]["NAME"]))
DISPATCH = env.choice(
    "CCDASH_DISPATCH",
    default="distributed" if ON_POSTGRESQL and not EMBEDDED else "pool",
    allowed=("inline", "pool", "distributed"),
)

# Whose agents, where a project says nothing of its own
OPENAI_API_KEY = env.secret("OPENAI_API_KEY", at_least=1)
OPENAI_BASE_URL = env.url("OPENAI_BASE_URL", schemes=("https", "http"), example="https://api.openai.com/v1")
ANTHROPIC_API_KEY = env.secret("ANTHROPIC_API_KEY", at_least=1)
ANTHROPIC_BASE_URL = env.url("ANTHROPIC_BASE_URL", schemes=("https", "http"), example="https://api.anthropic.com")

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "csp",
    "django_htmx",
    "template_partials",
    "waffle",
    "policy",
    "orchestration",
    "workbench",
    "ccdash",
]
if ON_POSTGRESQL:
    INSTALLED_APPS += ["procrastinate.contrib.django"]
if ON_POSTGRESQL and not REDIS_URL:
    INSTALLED_APPS += ["channels_postgres"]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "ccdash.compression.CompressPages",
    "ccdash.headers.BrowserHeaders",
    "ccdash.problem_documents.ProblemDocuments",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "waffle.middleware.WaffleMiddleware",
    "workbench.middleware.Refusals",
]

ROOT_URLCONF = "ccdash.urls"
ASGI_APPLICATION = "ccdash.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "workbench.navigation.navigation",
            ],
        },
    },
]

# The doorbell: in-memory in one process, Redis or the database where there are more
if REDIS_URL:
    CHANNEL_LAYERS = {
        "default": {"BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer", "CONFIG": {"hosts": [REDIS_URL]}}
    }
elif ON_POSTGRESQL:
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "ccdash.channel_layer.DatabaseChannelLayer",
            "CONFIG": database.for_channels(DATABASES["default"]),
        }
    }
else:
    CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LANGUAGE_CODE = "en"
USE_I18N = False
USE_TZ = True
TIME_ZONE = "UTC"

STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
WHITENOISE_MAX_AGE = 3600
WHITENOISE_ALLOW_ALL_ORIGINS = False

LOGIN_URL = "/accounts/login/"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/accounts/login/"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]

# What a browser is told, and held to
SESSION_COOKIE_AGE = 12 * 3600
SESSION_COOKIE_NAME = "__Host-sessionid" if HTTPS else "sessionid"
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_NAME = "__Host-csrftoken" if HTTPS else "csrftoken"
CSRF_COOKIE_SECURE = HTTPS
CSRF_COOKIE_HTTPONLY = True
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if HTTPS else 0
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# Whether other names of the domain are https too is not ours to say.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "manifest-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
        "object-src": [NONE],
    }
}

# The largest body of a request; `ccdash/asgi.py` refuses more before it is read
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
# A plan in the builder is one form
DATA_UPLOAD_MAX_NUMBER_FIELDS = 10_000

LOGGING = logs.configuration(
    env.choice("CCDASH_LOG_LEVEL", default="INFO", allowed=("DEBUG", "INFO", "WARNING", "ERROR"))
)
