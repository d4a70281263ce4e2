"""Where a path leads, seen by its text alone: inside the workspace, protected, secret, or outside.

Paths are resolved by their components, never by prefix of text. What can't be resolved is nowhere known.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from policy.shell import marks

NULL_DEVICES = frozenset(
    {"/dev/null", "/dev/stdin", "/dev/stdout", "/dev/stderr", "/dev/fd/0", "/dev/fd/1", "/dev/fd/2", "/dev/tty"}
)
# Only to be sampled: who reads one whole never ends.
ENDLESS = frozenset({"/dev/zero", "/dev/urandom", "/dev/random"})
# Facts about the machine that hold nothing of anyone's.
PUBLIC = frozenset(
    {"/etc/os-release", "/etc/debian_version", "/proc/cpuinfo", "/proc/meminfo", "/proc/version", "/proc/loadavg"}
)

# Tools act upon these: a write is a change of what will run later.
PROTECTED = re.compile(
    r"\.git|\.github|\.gitlab|\.gitlab-ci\.ya?ml|\.circleci|\.buildkite|\.travis\.yml|jenkinsfile|azure-pipelines\.yml"
    r"|\.ci|\.husky|\.githooks|\.gitconfig|\.gitmodules|\.gitattributes|\.pre-commit-config\.ya?ml|lefthook\.ya?ml"
    r"|\.claude|\.claude\.json|\.cursor|\.cursorrules|\.cursorignore|\.codex|\.gemini|\.aider.*|\.continue|\.windsurf"
    r"|\.windsurfrules|\.mcp\.json|mcp\.json|agents\.md|claude\.md|claude\.local\.md|gemini\.md"
    r"|copilot-instructions\.md|\.vscode|\.idea|\.devcontainer|\.devcontainer\.json|\.env.*|\.envrc"
    r"|\.npmrc|\.yarnrc.*|\.pypirc|\.netrc|\.ssh|\.gnupg|\.aws|\.docker|\.kube|\.cargo|\.bashrc|\.bash_profile"
    r"|\.bash_login|\.bash_aliases|\.bash_logout|\.profile|\.zshrc|\.zshenv|\.zprofile|\.inputrc|\.tool-versions"
    r"|\.venv|venv|\.direnv|.*\.pth|sitecustomize\.py|usercustomize\.py|crontab|codeowners|\.mise\.toml|mise\.toml",
    re.IGNORECASE,
)
SECRET = re.compile(
    r"\.env(\..+)?|\.envrc|.*\.env|.*\.(pem|key|p12|pfx|jks|keystore|kdbx|ppk|asc|gpg|ovpn|tfstate|tfvars)|id_(rsa|dsa|ecdsa|ed25519)(_.*)?"
    r"|.*_rsa|\.netrc|_netrc|\.npmrc|\.pypirc|\.pgpass|\.my\.cnf|\.git-credentials|\.htpasswd|\.dockercfg|\.vault[-_].*"
    r"|credentials?(\..+)?|.*[-_.]credentials?(\..+)?|secrets?(\.(ya?ml|json|toml|ini|txt|env|enc|conf|properties|xml))?"
    r"|.*[-_.]secrets?\.(ya?ml|json|toml|ini|txt|env)|service[-_]account.*\.json|\.ssh|\.gnupg|\.aws|\.azure|\.kube"
    r"|\.docker|kubeconfig|.*\.kubeconfig|passwords?(\.(txt|csv|json|ya?ml))?|.*token\.(txt|json)|\.token|master\.key|htpasswd",
    re.IGNORECASE,
)
SAFE_SAMPLE = re.compile(
    r"(.*\.)?env\.(example|sample|template|dist|test\.example)|.*\.(pub|py|pyi|js|jsx|ts|tsx|go|rs|java|kt|rb|c|h|cpp|md|html|css)",
    re.IGNORECASE,
)
# Names a pattern is tried against: what it could catch, it is taken to catch.
_SAMPLES = (
    *(".env", ".env.local", "id_rsa", "id_ed25519", "server.pem", "server.key", ".netrc", ".npmrc", ".pypirc"),
    *(".git", ".git-credentials", ".aws", ".ssh", "credentials"),
)

_CREDENTIALS = re.compile(
    r"(.*/)?\.(ssh|gnupg|aws|azure|kube|docker|password-store|config/(gcloud|gh|hub|op|rclone)|mozilla|claude|codex|gemini)(/.*)?"
    r"|.*/\.(netrc|npmrc|pypirc|pgpass|my\.cnf|git-credentials|vault-token|bash_history|zsh_history|python_history)"
    r"|.*/id_(rsa|dsa|ecdsa|ed25519)|/etc/(shadow|gshadow|sudoers|ssl/private|ssh/ssh_host_.*key|krb5\.keytab|master\.passwd)([-/.].*)?"
    r"|/proc/.+/(environ|mem|maps|fd|root|cwd|cmdline|auxv)(/.*)?|/proc/kcore|/dev/k?mem|/root(/.*)?|.*/docker\.sock"
    r"|/run/secrets(/.*)?|/var/run/secrets(/.*)?|.*/(login\.keychain|cookies\.sqlite|key4\.db|logins\.json)(-db)?"
    r"|/library/keychains(/.*)?|~/library/keychains(/.*)?|.*\.(kdbx|pem|key|p12)",
    re.IGNORECASE,
)
_SYSTEM = re.compile(
    r"/(etc|usr|bin|sbin|lib|lib32|lib64|boot|sys|proc|dev|root|opt|run|srv|system|library|applications|var/(lib|log|spool|run|www|mail))(/.*)?"
    r"|/|~|~/\..*|~/(library|bin)(/.*)?|/home/[^/]+/\..*|/users/[^/]+/\..*",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Place:
    """`where`: inside, scratch, stream, device, public, outside, unknown. `path`: as shown to people."""

    where: str
    path: str
    parts: tuple[str, ...] = ()
    secret: bool = False

    @property
    def protected(self) -> bool:
        return any(_matches(PROTECTED, part) for part in self.parts)

    @property
    def git(self) -> bool:
        return any(part.lower() == ".git" for part in self.parts)

    @property
    def credentials(self) -> bool:
        return self.where == "outside" and bool(_CREDENTIALS.fullmatch(self.path))

    @property
    def system(self) -> bool:
        return self.where == "outside" and bool(_SYSTEM.fullmatch(self.path))

    @property
    def device(self) -> bool:
        return self.path.startswith("/dev/")


def place(text: str, cwd: str | None, root: str) -> Place:
    """`cwd` is relative to the workspace, "" at its root, or None where it isn't known."""
    shown = marks.shown(text)
    if text in marks.STREAMS:
        return Place("stream", shown)
    if marks.OPEN & set(text):
        return _open(text, shown)
    if text[:1] in marks.SCRATCH and text[1:2] in ("", "/"):
        return _scratch(text, shown)
    if text.startswith(marks.HOME):
        return _outside("~" + _joined("/" + text[1:].lstrip("/"))[1] if text[1:].strip("/") else "~", text)
    if text.startswith(marks.WORKSPACE):
        return _inside("", text[1:].lstrip("/"), shown)
    if text.startswith("/"):
        return _absolute(text, shown, root)
    if cwd is None:
        return Place("unknown", shown)
    return _inside(cwd, text, shown)


def secret_name(part: str) -> bool:
    if SAFE_SAMPLE.fullmatch(part):
        return False
    return _matches(SECRET, part)


def looks_like_credentials(text: str) -> bool:
    """For words of programs nobody knows: does this name a file of credentials somewhere outside?"""
    if text.startswith(marks.HOME):
        return bool(_CREDENTIALS.fullmatch("~" + marks.shown(text[1:])))
    return text.startswith("/") and bool(_CREDENTIALS.fullmatch(_joined(text)[1]))


def _matches(names: re.Pattern[str], part: str) -> bool:
    if part.isascii():
        return bool(names.fullmatch(part))
    if marks.LOOSE & set(part) == {marks.STAR} and part[0] == marks.STAR and part[-1] == marks.STAR:
        return False
    pattern = marks.pattern(part)
    return any(pattern.fullmatch(sample) and names.fullmatch(sample) for sample in _SAMPLES)


def _open(text: str, shown: str) -> Place:
    """Part of the path is anyone's guess; what is written of it may still tell where it leads."""
    if text[:1] == "/" and _CREDENTIALS.fullmatch(_joined(text)[1]):
        return Place("outside", _joined(text)[1])
    return Place("unknown", shown)


def _scratch(text: str, shown: str) -> Place:
    escaped, _, _ = _resolved([], text[2:])
    return Place("unknown" if escaped else "scratch", shown)


def _absolute(text: str, shown: str, root: str) -> Place:
    _, path, parts = _resolved([], text)
    path = "/" + "/".join(parts)
    if path in NULL_DEVICES or re.fullmatch(r"/dev/fd/\d+", path):
        return Place("device", path)
    if path in PUBLIC:
        return Place("public", path)
    base = [part for part in root.split("/") if part]
    if base and parts[: len(base)] == base:
        return _inside("", "/".join(parts[len(base) :]), shown)
    return _outside(path, text)


def _outside(path: str, text: str) -> Place:
    return Place("outside", marks.shown(path), secret=any(secret_name(part) for part in path.split("/") if part))


def _inside(cwd: str, text: str, shown: str) -> Place:
    escaped, path, parts = _resolved([part for part in cwd.split("/") if part], text)
    if escaped == "glob":
        return Place("unknown", shown)
    if escaped:
        return Place("outside", shown)
    secret = any(secret_name(part) for part in parts)
    return Place("inside", marks.shown(path) or ".", tuple(parts), secret)


def _joined(text: str) -> tuple[str, str]:
    escaped, _, parts = _resolved([], text)
    return escaped, "/" + "/".join(parts)


def _resolved(base: list[str], text: str) -> tuple[str, str, list[str]]:
    """Says "escaped" where `..` climbs over the start, "glob" where a pattern may stand for `..`."""
    parts, escaped = list(base), ""
    for part in text.split("/"):
        if part in ("", "."):
            continue
        if part[0] == "." and marks.GLOBS & set(part[:3]):
            escaped = escaped or "glob"
        if part != "..":
            parts.append(part)
        elif not parts:
            escaped = "escaped"
        elif marks.GLOBS & set(parts.pop()):
            escaped = escaped or "glob"
    return escaped, "/".join(parts), parts
