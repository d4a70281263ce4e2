"""One line of the doctor."""

from dataclasses import dataclass

OK, WARN, FAIL = "ok", "warn", "fail"


@dataclass(frozen=True)
class Finding:
    part: str
    status: str
    message: str
    mend: str = ""


def ok(part: str, message: str) -> Finding:
    return Finding(part, OK, message)


def warn(part: str, message: str, mend: str) -> Finding:
    return Finding(part, WARN, message, mend)


def fail(part: str, message: str, mend: str) -> Finding:
    return Finding(part, FAIL, message, mend)
