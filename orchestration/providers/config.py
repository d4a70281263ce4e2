"""Where a provider lives and with which key: the project's settings first, then the environment of the server.

A key of the environment is sent only to the address of the environment: a project that names its own address must
bring its own key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

DEFAULT_URLS = {"openai": "https://api.openai.com/v1", "anthropic": "https://api.anthropic.com"}
ENVIRONMENT = {
    "openai": ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_MODEL"),
    "anthropic": ("ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "ANTHROPIC_MODEL"),
}


@dataclass(frozen=True)
class ProviderConfig:
    name: str
    base_url: str = ""
    api_key: str = field(default="", repr=False)
    model: str = ""
    foreground: bool = False  # for servers without background responses
    chain: bool | None = None  # previous_response_id; None: in background only
    connect_timeout: float = 10.0
    read_timeout: float = 300.0  # longest silence between two bytes
    max_response_bytes: int = 64 * 1024 * 1024
    reach: str = ""  # how far an address of a project's own may lead (see reaching); the server's own goes anywhere

    @property
    def masked_key(self) -> str:
        return f"…{self.api_key[-4:]}" if len(self.api_key) >= 12 else ("set" if self.api_key else "")


def resolve_config(name: str, project: ProviderConfig | None, environ: Mapping[str, str]) -> ProviderConfig:
    """The configuration that counts: what the project says, completed from the environment where that is safe."""
    server = from_environment(name, environ)
    if project is None:
        return server
    own_address = bool(project.base_url) and project.base_url.rstrip("/") != server.base_url.rstrip("/")
    return replace(
        project,
        base_url=project.base_url or server.base_url,
        api_key=project.api_key or ("" if own_address else server.api_key),
        model=project.model or server.model,
    )


def from_environment(name: str, environ: Mapping[str, str]) -> ProviderConfig:
    key, url, model = ENVIRONMENT.get(name, ("", "", ""))
    return ProviderConfig(
        name=name,
        base_url=environ.get(url, "").strip() or DEFAULT_URLS.get(name, ""),
        api_key=environ.get(key, "").strip(),
        model=environ.get(model, "").strip(),
    )


def address_problems(base_url: str) -> list[str]:
    """What is wrong with an address as such; whether a host may be reached is the network's business."""
    try:
        parts = urlsplit(base_url)
        port_is_sane = parts.port is None or parts.port > 0
    except ValueError:
        return ["The base URL is not a valid address."]
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_is_sane:
        return ["The base URL must be an http or https address with a host."]
    if parts.username or parts.password or parts.query or parts.fragment:
        return ["The base URL must not carry credentials, a query or a fragment."]
    return []


def key_problems(config: ProviderConfig) -> list[str]:
    """A public address needs a key; a compatible server of one's own may do without."""
    if not config.api_key and config.base_url.rstrip("/") == DEFAULT_URLS.get(config.name, "").rstrip("/"):
        return [f"No API key is set for {config.name}."]
    if any(character.isspace() or ord(character) < 33 or ord(character) > 126 for character in config.api_key):
        return [f"The API key for {config.name} holds characters that no key has."]
    return []
