"""Log lines: one line a record, so that no text from outside can forge a second one."""

import logging
import time

# Control characters, line separators and the marks that turn the reading direction
_UNPRINTABLE = (*range(32), *range(127, 160), 0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
_ESCAPES = {code: chr(code).encode("unicode_escape").decode() for code in _UNPRINTABLE}


class LineFormatter(logging.Formatter):
    converter = staticmethod(time.gmtime)

    def format(self, record: logging.LogRecord) -> str:
        return super().format(record).translate(_ESCAPES)


def configuration(level: str) -> dict[str, object]:
    """Ours from `level` up, everybody else's from WARNING up, to stderr. Ordinary 4xx answers are no news."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": "ccdash.logs.LineFormatter",
                "format": "{asctime}.{msecs:03.0f}Z {levelname} {name} {message}",
                "datefmt": "%Y-%m-%dT%H:%M:%S",
                "style": "{",
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": "WARNING"},
        "loggers": {
            **{name: {"level": level} for name in ("ccdash", "workbench", "orchestration", "policy")},
            # Django gives these two handlers of their own; ours at the root is enough.
            "django": {"handlers": [], "level": "WARNING", "propagate": True},
            "django.server": {"handlers": [], "level": "WARNING", "propagate": True},
            "django.request": {"level": "ERROR"},
            "django.security.DisallowedHost": {"level": "CRITICAL"},
            # It warns of every run that nobody looks at.
            "channels_postgres": {"level": "ERROR"},
        },
    }
