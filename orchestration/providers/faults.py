"""From what an SDK or the network raises to one ProviderError with a sentence. Both SDKs name their errors alike."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from .base import ProviderError
from .retry import parse_retry_after

LONGEST_WORDS = 500
# status -> kind, retryable, sentence
STATUSES: dict[int, tuple[str, bool, str]] = {
    400: ("invalid", False, "The provider refused the request as invalid"),
    401: ("auth", False, "The provider refused the API key"),
    402: ("invalid", False, "The provider asks for payment"),
    403: ("auth", False, "The provider does not allow this with the given key"),
    404: ("not_found", False, "The provider does not know this address, model or response"),
    405: ("not_found", False, "The provider does not offer this"),
    408: ("timeout", True, "The provider gave up waiting for the request"),
    409: ("server", True, "The provider was busy with a conflicting request"),
    413: ("invalid", False, "The request is too large for the provider"),
    422: ("invalid", False, "The provider could not process the request"),
    429: ("rate_limit", True, "The provider's rate limit is reached"),
    501: ("not_found", False, "The provider does not offer this"),
    529: ("overloaded", True, "The provider is overloaded"),
}
# what a provider names in a stream, or in the body of an error -> kind, retryable
NAMES: dict[str, tuple[str, bool]] = {
    "overloaded_error": ("overloaded", True),
    "rate_limit_error": ("rate_limit", True),
    "rate_limit_exceeded": ("rate_limit", True),
    "api_error": ("server", True),
    "server_error": ("server", True),
    "timeout_error": ("timeout", True),
    "vector_store_timeout": ("timeout", True),
    "insufficient_quota": ("invalid", False),
    "billing_error": ("invalid", False),
    "authentication_error": ("auth", False),
    "permission_error": ("auth", False),
    "not_found_error": ("not_found", False),
    "invalid_request_error": ("invalid", False),
}


@contextmanager
def translated(secret: str) -> Iterator[None]:
    """Everything that goes wrong inside leaves as a ProviderError whose words do not hold the key."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - whatever an SDK meets, people get a sentence
        raise translate(error, secret) from None


def translate(error: Exception, secret: str = "") -> ProviderError:
    if isinstance(error, ProviderError):
        return error
    names = {kind.__name__ for kind in type(error).__mro__}
    if "APIStatusError" in names:
        return _status(error, secret)
    if names & {"APITimeoutError", "TimeoutException"}:
        return _timeout(error)
    if names & {"APIConnectionError", "ConnectError"}:
        return _connection(error)
    if names & {"RequestError", "TransportError", "ProtocolError", "StreamError"}:
        return ProviderError("cut", "The connection to the provider broke off.", retryable=True)
    if "APIError" in names:
        return named(str(getattr(error, "code", "") or getattr(error, "type", "") or ""), str(error), secret)
    sentence = f"The provider's answer could not be understood ({type(error).__name__})."
    return ProviderError("garbage", sentence, retryable=True)


def named(name: str, words: str, secret: str = "") -> ProviderError:
    """An error that came inside a stream, by the name the provider gave it; an unknown one may pass."""
    kind, retryable = NAMES.get(name, ("server", True))
    said = clean(words, secret)
    sentence = f"The provider reported an error: {said or name or 'no details given'}"
    return ProviderError(kind, sentence, retryable=retryable, about=name)


def clean(words: str, secret: str = "") -> str:
    """Somebody else's words: on one line, short, without our key."""
    plain = " ".join("".join(letter if letter.isprintable() else " " for letter in words).split())
    if len(secret) >= 4:
        plain = plain.replace(secret, "[key]")
    return plain[:LONGEST_WORDS]


def _status(error: Any, secret: str) -> ProviderError:
    status = int(error.status_code)
    headers = {str(name).lower(): str(value) for name, value in error.response.headers.items()}
    kind, retryable, sentence = STATUSES.get(status) or _by_class(status)
    name, said = _body(error.body)
    if status < 300 or name == "insufficient_quota":
        kind, retryable = NAMES.get(name, ("server", True))
    if headers.get("x-should-retry") == "false":
        retryable = False
    words = f"{sentence} ({status})" if status >= 300 else "The provider reported an error"
    return ProviderError(
        kind,
        f"{words}: {clean(said, secret)}" if said else f"{words}.",
        retryable=retryable,
        retry_after=parse_retry_after(headers, time.time()),
        status=status,
        request_id=headers.get("x-request-id") or headers.get("request-id") or "",
        about=f"{name} {_parameter(error.body)}".strip(),
    )


def _by_class(status: int) -> tuple[str, bool, str]:
    if status >= 500:
        return "server", True, "The provider has an internal fault"
    return "invalid", False, "The provider answered with an unexpected status"


def _body(body: object) -> tuple[str, str]:
    """The name and the words of an error, in the shapes the two protocols and their imitations use."""
    body = _inner(body)
    if isinstance(body, Mapping):
        return str(body.get("code") or body.get("type") or ""), str(body.get("message") or body.get("detail") or "")
    return "", body if isinstance(body, str) else ""


def _inner(body: object) -> object:
    return body["error"] if isinstance(body, Mapping) and isinstance(body.get("error"), Mapping | str) else body


def _parameter(body: object) -> str:
    inner = _inner(body)
    return str(inner.get("param") or "") if isinstance(inner, Mapping) else ""


def _timeout(error: Exception) -> ProviderError:
    cause = type(error.__cause__ or error).__name__
    if cause == "ConnectTimeout":
        return ProviderError("connect", "The provider could not be reached in time.", retryable=True)
    return ProviderError("timeout", "The provider said nothing for too long.", retryable=True)


def _connection(error: Exception) -> ProviderError:
    cause = type(error.__cause__ or error).__name__
    if cause in ("ReadError", "RemoteProtocolError", "WriteError"):
        return ProviderError("cut", "The connection to the provider broke off.", retryable=True)
    return ProviderError("connect", "The provider could not be reached.", retryable=True)
