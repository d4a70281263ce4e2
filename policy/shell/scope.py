"""What is known while a line is read: folder, variables, what earlier commands changed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from policy.shell import marks

Values = tuple[str, ...]
MANY: Values = (marks.MANY,)

NUMBERS = ("CCDASH_RUN_NUMBER", "CCDASH_ATTEMPT", "CCDASH_TOKEN", "RANDOM", "LINENO", "PPID", "UID", "EUID")
SLUGS = ("CCDASH_RUN_ID", "CCDASH_STEP_KEY", "CCDASH_PROJECT", "HOSTTYPE", "OSTYPE")
KNOWN: Mapping[str, Values] = {
    **dict.fromkeys(NUMBERS, (marks.NUMBER,)),
    **dict.fromkeys(SLUGS, (marks.SLUG,)),
    # A run need not belong to a feature.
    "CCDASH_FEATURE": ("", marks.SLUG),
    "CCDASH_OUTPUT": (marks.OUTPUT,),
    "CCDASH_ARTIFACTS": (marks.ARTIFACTS,),
    "CCDASH_WORKSPACE": (marks.WORKSPACE,),
    "TMPDIR": (marks.TEMPORARY,),
    "HOME": (marks.HOME,),
}
SECRET_NAME = re.compile(
    r".*(SECRET|TOKEN|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|AUTH|_KEY|_PAT|DSN|DATABASE_URL).*",
    re.IGNORECASE,
)
# Names that the shell or programs act upon. The last group are prefixes.
_ACTED_UPON = re.compile(
    r"PATH|IFS|HOME|PWD|OLDPWD|SHELL|SHELLOPTS|USER|LOGNAME|ENV|TMPDIR|TEMP|TMP|EDITOR|VISUAL|PAGER|BROWSER|DISPLAY|CC|CXX|LD|AR"
    r"|CDPATH|GLOBIGNORE|FUNCNEST|INPUTRC|HOSTFILE|MAIL|MAILPATH|HIST.*|PS[0-4]|PROMPT_.*|OPT(IND|ERR|ARG)|REPLY|EXECIGNORE"
    r"|RANDOM|SECONDS|LINENO|POSIX.*|COMP_.*|COPROC|MAPFILE|READLINE_.*|TIMEFORMAT|UID|EUID|PPID|EPOCH.*|SRANDOM|_"
    r"|.*PATH|.*FLAGS|.*_?OPTS|.*_?OPTIONS|.*_PROXY|.*_HOME|.*_COMMAND|.*_PRELOAD|.*_CONFIG.*|.*_EDITOR|.*_PAGER|.*_BIN|.*_EXE|.*_SHELL|.*_CMD|.*_RC|.*_WRAPPER"
    r"|(LD|DYLD|BASH|LUA|PHP|JULIA|TCL|PYTHON|PYTEST|PIP|UV|POETRY|NODE|NPM|YARN|PNPM|COREPACK|GIT|SSH|SSL|CURL|WGET|PERL|RUBY|GEM|BUNDLE|JAVA|JDK|MAVEN|GRADLE|GO|CARGO|RUST|RUSTC"
    r"|GCC|CMAKE|MAKE|MFLAGS|DOTNET|NUGET|MSBUILD|DOCKER|KUBE|HELM|AWS|AZURE|GOOGLE|GCP|TF|TERRAFORM|CCDASH|LESS|MAN|MORE|GREP|RIPGREP|TAR|XDG"
    r"|ANSIBLE|DJANGO|FLASK|RAILS|OPENAI|ANTHROPIC|CLAUDE|CODEX|GEMINI|MALLOC|GCONV|LOCPATH|NLSPATH|RES|TERM|SYSTEMD|DBUS|GPG|COVERAGE|TOX|NOX|MYPY|RUFF|ESLINT|PRETTIER|TS)_.*"
    r"|MAKE|PERL5.*|RUBY.*|NODE|GOBIN|GOROOT|.*_LIBRARY|.*_PLUGINS?|.*_HOOK.*|.*_SERVER|.*_HOST|.*_URL|.*_proxy|npm_.*|pip_.*|path|histchars"
)
# Environment that a program may be given, with the values that are harmless.
HARMLESS_ENVIRONMENT: Mapping[str, str] = {
    "CI": r"1|true|0|false|",
    "NO_COLOR": r"\w*",
    "FORCE_COLOR": r"[0-3]|true|false",
    "CLICOLOR": r"[01]",
    "CLICOLOR_FORCE": r"[01]",
    "TERM": r"dumb|xterm(-256color)?|vt100",
    "COLUMNS": r"\d+",
    "LINES": r"\d+",
    "LANG": r"[\w.-]+",
    "LC_ALL": r"[\w.-]+",
    "TZ": r"[A-Za-z][\w+-]*(/[A-Za-z][\w+-]*)?",
    "DEBUG": r"0|1|true|false|",
    "VERBOSE": r"0|1|true|false|",
    "NODE_ENV": r"test|development|production",
    "PYTHONUNBUFFERED": r"\w*",
    "PYTHONDONTWRITEBYTECODE": r"\w*",
    "PYTHONHASHSEED": r"\d+|random",
    "RUST_BACKTRACE": r"0|1|full",
    "RUST_LOG": r"[\w:=,]+",
    "CARGO_TERM_COLOR": r"always|never|auto",
    "CARGO_INCREMENTAL": r"[01]",
    "GO111MODULE": r"on|off|auto",
    "CGO_ENABLED": r"[01]",
    "GOOS": r"\w+",
    "GOARCH": r"\w+",
    "TOX_PARALLEL_NO_SPINNER": r"[01]",
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": r"1",
    "SOURCE_DATE_EPOCH": r"\d+",
    "GIT_PAGER": r"cat",
    "PAGER": r"cat",
    **dict.fromkeys(
        ("LOG_LEVEL", "LOGLEVEL", "APP_ENV", "ENVIRONMENT", "RAILS_ENV", "RACK_ENV", "FLASK_ENV"), r"[\w-]*"
    ),
    **dict.fromkeys(("PORT", "SEED", "TEST", "TESTING", "HEADLESS", "FLASK_DEBUG", "JOBS", "TIMEOUT"), r"[\w.-]*"),
    "DJANGO_SETTINGS_MODULE": r"[A-Za-z]\w*(\.\w+)*",
}
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass
class Scope:
    """`cwds`: every folder the line may be in, relative to the workspace; None is anywhere.

    `environment`: names the step sets; `granted`: secrets it was given by name.
    """

    root: str
    cwds: tuple[str | None, ...] = ("",)
    variables: dict[str, Values] = field(default_factory=lambda: dict(KNOWN))
    environment: frozenset[str] = frozenset()
    granted: frozenset[str] = frozenset()

    def copy(self) -> Scope:
        return Scope(self.root, self.cwds, dict(self.variables), self.environment, self.granted)

    def join(self, other: Scope) -> None:
        """After a fork in the road either may have happened."""
        self.cwds = tuple(dict.fromkeys(self.cwds + other.cwds))
        for name in self.variables.keys() | other.variables.keys():
            mine, theirs = self.look_up(name), other.look_up(name)
            if mine != theirs:
                self.variables[name] = _union(mine, theirs)

    def look_up(self, name: str) -> Values:
        return self.variables.get(name, MANY)


def settable(name: str, environment: frozenset[str]) -> bool:
    """A variable that no program and no shell acts upon: the line's own."""
    if not _PLAIN.fullmatch(name) or name in environment:
        return False
    return not _ACTED_UPON.fullmatch(name)


def risky_name(name: str) -> bool:
    """A name in a step's environment that changes how programs are found or behave."""
    return bool(_ACTED_UPON.fullmatch(name))


def harmless(name: str, value: str) -> bool:
    values = HARMLESS_ENVIRONMENT.get(name)
    return values is not None and re.fullmatch(values, value) is not None


def _union(mine: Values, theirs: Values) -> Values:
    both = tuple(dict.fromkeys(mine + theirs))
    if marks.MANY in both or len(both) > 32:
        return MANY
    return both
