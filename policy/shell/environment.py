"""Environment variables: which names programs act upon, and which values are harmless all the same."""

from __future__ import annotations

import re
from collections.abc import Mapping

from policy.shell import marks

SECRET_NAME = re.compile(
    r".*(SECRET|TOKEN|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|AUTH|_KEY|_PAT|DSN"
    r"|DATABASE_URL).*",
    re.IGNORECASE,
)
# Names that the shell itself acts upon.
_SHELLS = """
    PATH IFS HOME PWD OLDPWD SHELL SHELLOPTS USER LOGNAME ENV TMPDIR TEMP TMP EDITOR VISUAL PAGER BROWSER
    DISPLAY CDPATH GLOBIGNORE FUNCNEST INPUTRC HOSTFILE MAIL MAILPATH HIST.* PS[0-4] PROMPT_.* OPT(IND|ERR|ARG)
    REPLY EXECIGNORE RANDOM SECONDS LINENO POSIX.* COMP_.* COPROC MAPFILE READLINE_.* TIMEFORMAT UID EUID PPID
    EPOCH.* SRANDOM _ path histchars
"""
# Names that build tools and compilers take programs and settings from.
_TOOLS = """
    CC CXX.* CPP.* CGO_.* LD AR AS NM RANLIB STRIP OBJCOPY FC F77 LEX YACC AWK SED INSTALL M4 TOOLCHAINS? NODE
    GOBIN GOROOT MAKE.* MFLAGS PERL.* RUBY.* COMPOSER.* PHPRC MIX_EXS DEVELOPER_DIR TERMINFO HOSTALIASES
    VIRTUAL_ENV WINEDEBUG SWIFT.* HUSKY.* LEFTHOOK.* PYLINT.* FLAKE8.* PYRIGHT.* MSYS.* WSL.*
"""
# What names end with that point somewhere or are handed on.
_ENDINGS = """
    PATH FLAGS _?OPTS _?OPTIONS _PROXY _proxy _HOME _COMMAND _PRELOAD _CONFIG.* _EDITOR _PAGER _BIN _EXE _SHELL
    _CMD _RC _WRAPPER _LIBRARY _PLUGINS? _HOOK.* _SERVER _HOST _URL
"""
# What names of programs' own settings begin with.
_FAMILIES = """
    LD DYLD BASH LUA PHP JULIA TCL PYTHON PYTEST PIP UV POETRY NODE NPM YARN PNPM COREPACK GIT SSH SSL CURL WGET
    PERL RUBY GEM BUNDLE JAVA JDK MAVEN GRADLE GO CARGO RUST RUSTC GCC CMAKE MAKE MFLAGS DOTNET NUGET MSBUILD
    DOCKER KUBE HELM AWS AZURE GOOGLE GCP TF TERRAFORM CCDASH LESS MAN MORE GREP RIPGREP TAR XDG ANSIBLE DJANGO
    FLASK RAILS OPENAI ANTHROPIC CLAUDE CODEX GEMINI MALLOC GCONV LOCPATH NLSPATH RES TERM SYSTEMD DBUS GPG
    COVERAGE TOX NOX MYPY RUFF ESLINT PRETTIER TS ERL ELIXIR BABEL SWC WEBPACK JEST VITEST MOCHA CYPRESS
    PUPPETEER ELECTRON NX TURBO SBT JVM KOTLIN XCODE CTEST NINJA OPENSSL COR CORECLR COMPLUS ASPNETCORE CONDA
    HATCH PDM RYE PIPENV PRE_COMMIT BLACK ISORT npm pip
"""
_ACTED_UPON = re.compile(
    "|".join(
        (
            *_SHELLS.split(),
            *_TOOLS.split(),
            *(f".*{ending}" for ending in _ENDINGS.split()),
            *(f"{family}_.*" for family in _FAMILIES.split()),
        )
    )
)
_OWN_FOLDER = (
    rf"\.|(\./)?(src|lib|app|backend|server|python|api|tests|src/python|\w+/src)"
    rf"|{marks.WORKSPACE}(/(src|lib|app|backend|\w+/src))?"
)
# Environment that a program may be given, with the values that are harmless.
_HARMLESS: Mapping[str, str] = {
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
    "DEBUG": rf"[\w:*,.{marks.STAR}-]*",
    "VERBOSE": r"0|1|true|false|",
    "NODE_ENV": r"test|development|production",
    "BABEL_ENV": r"test|development|production",
    "PYTEST_XDIST_AUTO_NUM_WORKERS": r"\d+",
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
        ("LOG_LEVEL", "LOGLEVEL", "APP_ENV", "ENVIRONMENT", "RAILS_ENV", "RACK_ENV", "FLASK_ENV"),
        r"(?!prod|live|stag)[\w-]*",
    ),
    **dict.fromkeys(("PORT", "SEED", "TEST", "TESTING", "HEADLESS", "FLASK_DEBUG", "JOBS", "TIMEOUT"), r"[\w.-]*"),
    "DJANGO_SETTINGS_MODULE": r"[A-Za-z]\w*(\.\w+)*",
    # Folders where a project keeps its own modules, which its tests import anyway.
    "PYTHONPATH": rf"({_OWN_FOLDER})(:({_OWN_FOLDER}))*",
    "MIX_ENV": r"test|dev",
    "GOFLAGS": r"(-mod=(vendor|readonly)|-count=1|-race|-v|-buildvcs=false|-trimpath|\s)*",
    **dict.fromkeys(
        ("RUSTFLAGS", "RUSTDOCFLAGS"),
        r"(-[DWA]\s?[\w:-]+|--(deny|warn|allow)\s[\w:-]+|--cfg\s\w+|\s"
        r"|-C\s?(debuginfo=\d|opt-level=\d|target-cpu=native|instrument-coverage|debug-assertions|overflow-checks))*",
    ),
    "GOEXPERIMENT": r"\w*",
    "GOTRACEBACK": r"\w*",
    "GOGC": r"\w+",
    "GOMAXPROCS": r"\d+",
    "GOAMD64": r"v\d",
    "GOARM": r"\d",
    "GOPROXY": r"off",
    "GOTOOLCHAIN": r"local",
    "XDEBUG_MODE": r"[a-z,]+",
    "COMPOSER_NO_INTERACTION": r"1",
    "DOTNET_CLI_TELEMETRY_OPTOUT": r"1|true",
    "DOTNET_NOLOGO": r"1|true",
    "HUSKY": r"0",
    "NX_DAEMON": r"false",
    "TURBO_TELEMETRY_DISABLED": r"1",
    "NEXT_TELEMETRY_DISABLED": r"1",
    "ASTRO_TELEMETRY_DISABLED": r"1",
    "DO_NOT_TRACK": r"1",
    "PIP_DISABLE_PIP_VERSION_CHECK": r"1",
    "PYTHONDEVMODE": r"1",
    "PYTHONUTF8": r"[01]",
    "PYTHONIOENCODING": r"[\w-]+",
    "PYTHONOPTIMIZE": r"[012]",
    "PYTHONASYNCIODEBUG": r"1",
    "PYTHONFAULTHANDLER": r"1",
    "PYTHONWARNINGS": r"(error|ignore|default|always|once|module)(::\w*Warning)?",
    "TS_NODE_TRANSPILE_ONLY": r"true|1",
    "NODE_OPTIONS": r"--max[-_]old[-_]space[-_]size=\d+|--experimental-vm-modules|--no-warnings"
    r"|--openssl-legacy-provider",
    "CARGO_PROFILE_DEV_DEBUG": r"\d",
    "CARGO_NET_OFFLINE": r"true",
    "CARGO_TERM_VERBOSE": r"true|false",
    "DATABASE_URL": r"sqlite://(/:memory:|/{1,2}[\w.-]+)?",
    "SKIP": r"[\w,-]*",
    "LC_CTYPE": r"[\w.-]+",
    "LANGUAGE": r"[\w.:-]*",
    "CTEST_OUTPUT_ON_FAILURE": r"1",
    "CMAKE_BUILD_TYPE": r"\w+",
    "CMAKE_BUILD_PARALLEL_LEVEL": r"\d+",
    "GTEST_COLOR": r"\w+",
    "ASAN_OPTIONS": r"(detect_leaks|halt_on_error|abort_on_error)=[01]",
    "UBSAN_OPTIONS": r"(print_stacktrace|halt_on_error)=[01](:(print_stacktrace|halt_on_error)=[01])*",
    "JEST_JUNIT_OUTPUT_DIR": r"(?!/)(?!.*\.\.)[\w./-]+",
    "JEST_JUNIT_OUTPUT_NAME": r"[\w.-]+",
}
# Values too small to name a program or to point anywhere: switches, numbers, the usual names of environments.
_SMALL = re.compile(
    r"0|1|true|false|yes|no|on|off|y|n|\d{1,6}|test|testing|tests|ci|dev|development|local|debug"
    r"|info|warn|warning|error|none|all|full|fast|slow|unit|integration|e2e|always|never|auto|release|default|",
    re.IGNORECASE,
)
_PLAIN_VALUE = re.compile(r"[A-Za-z0-9_-]{0,40}(\.\d+)*")
# Names that say of themselves that they hold a setting of the project's own.
_OWN_NAME = re.compile(
    r"FOO|BAR|BAZ|X|Y|Z|NAME|VALUE|MODE|STAGE|LEVEL|VERSION|TAG|REGION"
    r"|[A-Z][A-Z0-9_]*_(MODE|ENV|LEVEL|NAME|TIMEOUT|PORT|SEED|VERSION|COUNT|SIZE|ENABLED|DISABLED|DEBUG|VERBOSE|REGION|ID"
    r"|TAG|LOCALE|FORMAT|WORKERS|THREADS|JOBS|RETRIES|BROWSER|STAGE|TARGET|SUITE|GROUP|SHARD|BACKEND|DB|DRIVER|ENGINE|TYPE|KIND|PROVIDER)"
)
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def settable(name: str, environment: frozenset[str]) -> bool:
    """A variable that no program and no shell acts upon: the line's own."""
    if not _PLAIN.fullmatch(name) or name in environment:
        return False
    return not _ACTED_UPON.fullmatch(name)


def risky_name(name: str) -> bool:
    """A name in a step's environment that changes how programs are found or behave."""
    return bool(_ACTED_UPON.fullmatch(name))


def harmless(name: str, value: str) -> bool:
    values = _HARMLESS.get(name)
    if values is not None:
        return re.fullmatch(values, value) is not None
    if _ACTED_UPON.fullmatch(name) or SECRET_NAME.fullmatch(name) or not _PLAIN.fullmatch(name):
        return False
    return bool(_SMALL.fullmatch(value) or (_OWN_NAME.fullmatch(name) and _PLAIN_VALUE.fullmatch(value)))
