"""Test runners, linters, type checkers and build tools.

They run the project's own code, which is what a run is for. Options that point them elsewhere (configuration,
plugins, other folders, other programs) are left out on purpose.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable

from policy.shell import marks
from policy.shell.grammar import NotKnown, Program, Used, examine, take, take_operands
from policy.shell.record import Record
from policy.shell.scope import Scope
from policy.shell.walk import Judge, Walk
from policy.shell.words import Word

_SAYS = "Runs the project's tests, checks or build."


def _runs(flags: str, operands: str = "target*", **more: bool) -> Program:
    return Program(flags, operands, "check", _SAYS, runs=True, **more)  # type: ignore[arg-type]


def _must(*names: str) -> Callable[[Used, Record, Scope], None]:
    """A formatter that only checks where it is told to; else it changes files."""

    def check(used: Used, record: Record, scope: Scope) -> None:
        take_operands("target*", used.operands, record, scope)
        if not used.has(*names):
            raise NotKnown("it rewrites files where it isn't told to only check")

    return check


def _module(used: Used, record: Record, scope: Scope) -> None:
    if not used.has("-m"):
        raise NotKnown("it runs a file")
    take_operands("target*", used.operands, record, scope)


PYTEST = _runs(
    """-q -v -x -s -l -k:data -m:data -n:word -r:word -W:name -p:no:cacheprovider|no:warnings|no:randomly|no:xdist|no:cov|xdist|no:logging|no:sugar
    --quiet --verbose --exitfirst --capture=word --showlocals --tb=word --maxfail=num --lf --last-failed --ff --failed-first --nf --new-first --sw --stepwise --durations=num --durations-min=num
    --co --collect-only --cov[=target] --cov-report=report --cov-fail-under=num --cov-branch --cov-append --no-cov --junitxml=write --junit-xml=write --color=word --no-header --no-summary --ignore=target --ignore-glob=data
    --deselect=target --strict-markers --strict-config --strict --timeout=num --timeout-method=word --reruns=num --reruns-delay=num --disable-warnings --disable-pytest-warnings --import-mode=word --doctest-modules --asyncio-mode=word
    --dist=word --numprocesses=word --maxprocesses=num --reuse-db --create-db --nomigrations --no-migrations --hypothesis-profile=word --hypothesis-seed=num --hypothesis-show-statistics --randomly-seed=word --setup-show --fixtures --markers
    --version --help -h --full-trace --log-level=word --log-cli-level=word --show-capture=word --benchmark-only --benchmark-skip --benchmark-disable --verbosity=num --runslow --forked --cache-show[=data] --cache-clear --headed --browser=word"""
)
_MYPY = """--strict --ignore-missing-imports --no-incremental --show-error-codes --pretty --no-error-summary --follow-imports=word --python-version=word --platform=word --warn-unused-ignores --warn-return-any
    --disallow-untyped-defs --check-untyped-defs --namespace-packages --explicit-package-bases --no-color-output --color-output -p:word -m:word -v --version --exclude=data --show-column-numbers --no-implicit-optional --txt-report=write
    --html-report=write --junit-xml=write --install-types? --no-namespace-packages --show-traceback --scripts-are-modules --allow-untyped-defs --disable-error-code=word --enable-error-code=word --any-exprs-report=write""".replace(
    "--install-types?", ""
)
_RUFF_CHECK = """-q -v -s --quiet --verbose --silent --no-fix --select=word --ignore=word --extend-select=word --extend-ignore=word --statistics --output-format=word --no-cache --show-files --show-settings --exit-zero --preview --no-preview --diff
    --target-version=word --line-length=num --exclude=data --extend-exclude=data --force-exclude --per-file-ignores=data --respect-gitignore --show-fixes --exit-non-zero-on-fix --output-file=write -o:write --isolated --color=word"""
_NODE_TEST = """--coverage[=word] --ci --silent --verbose --runInBand -i --watch=false --watchAll=false --run --passWithNoTests --bail[=num] -b --maxWorkers=word -w:word --testNamePattern=data -t:data --testPathPattern=data --colors
    --no-coverage --forceExit --detectOpenHandles --json --outputFile=write --reporters=default --reporter=dot|default|verbose|json|junit|tap|spec|list|line|github --findRelatedTests --onlyChanged -o --listTests --shard=word --no-cache --changedSince=word --no-watch
    --single-run --browsers=ChromeHeadless --max-warnings=num --quiet --no-color --logHeapUsage --retries=num --workers=num --project=word --grep=data -g:data --run-in-band --updateSnapshot=false --no-file-parallelism --noStackTrace --exit --timeout=num --headed=false"""

PROGRAMS: dict[str, Program] = {
    "pytest": PYTEST,
    "py.test": PYTEST,
    "tox": _runs("-q -v -p -r -l -a -e:word -f:word -m:word --parallel[=word] --recreate --listenvs --notest --skip-missing-interpreters[=word] --version", "run|p|run-parallel|l|list|r"),
    "nox": _runs("-s:data -l -r -R -e:data -k:data -t:data --session=data --sessions=data --list --reuse-existing-virtualenvs --no-install --stop-on-first-error --tags=data --version", "plain*"),
    "mypy": _runs(_MYPY),
    "pyright": _runs("--outputjson --stats --verbose --warnings --pythonversion=word --pythonplatform=word --level=word --version --skipunannotated --threads=num"),
    "basedpyright": _runs("--outputjson --stats --verbose --warnings --level=word --version"),
    "pyre": _runs("", "check"),
    "flake8": _runs("-q -v -j:num --max-line-length=num --max-complexity=num --ignore=word --select=word --extend-ignore=word --extend-select=word --exclude=data --count --statistics --show-source --format=word --per-file-ignores=data --exit-zero --version --benchmark --color=word --isolated --filename=data --doctests"),
    "pycodestyle": _runs("--max-line-length=num --ignore=word --select=word --exclude=data --statistics --count --show-source"),
    "pydocstyle": _runs("--convention=word --select=word --ignore=word --count --match=data -s -v"),
    "pyflakes": _runs("--version"),
    "pylint": _runs("-E -j:num -d:word -e:word -r:word -f:text|json|json2|colorized|parseable|github --errors-only --jobs=num --disable=word --enable=word --output-format=text|json|json2|colorized|parseable|github --reports=word --score=word --fail-under=num --fail-on=word --recursive=word --ignore=word --max-line-length=num --persistent=word --version --exit-zero --py-version=word --ignore-patterns=data --msg-template=data --verbose"),
    "black": Program("--check --diff -q -v -l:num -t:word -S --quiet --verbose --line-length=num --target-version=word --color --no-color --fast --safe --exclude=data --extend-exclude=data --include=data --skip-string-normalization --version --workers=num -W:num --preview --force-exclude=data", "", "check", _SAYS, check=_must("--check", "--diff", "--version")),
    "isort": Program("--check --check-only -c --diff -q -v --profile=word --quiet --verbose --line-length=num -l:num --skip=data --skip-glob=data --version --version-number --atomic --show-files --gitignore --filter-files", "", "check", _SAYS, check=_must("--check", "--check-only", "-c", "--version", "--diff")),
    "autopep8": Program("--diff -r -d --exit-code --max-line-length=num --recursive", "", "check", _SAYS, check=_must("--diff", "-d")),
    "yapf": Program("-d -r --diff --recursive -q --quiet", "", "check", _SAYS, check=_must("-d", "--diff", "-q", "--quiet")),
    "bandit": _runs("-r -q -l -i -v -f:word -x:data -s:word -t:word --recursive --quiet --format=word --severity-level=word --confidence-level=word --exclude=data --skip=word --exit-zero -n:num"),
    "vulture": _runs("--min-confidence=num --exclude=data --sort-by-size --ignore-names=data -v --verbose"),
    "radon": _runs("-a -s -nc -nb -j -n:word -e:data -i:data --min=word --average --show-complexity --total-average", "cc|mi|raw|hal target*"),
    "xenon": _runs("--max-absolute=word --max-modules=word --max-average=word -a:word -m:word -b:word"),
    "interrogate": _runs("-v -q -i -m -p -f:num --fail-under=num --verbose[=num] --quiet"),
    "codespell": _runs("-q:num -L:data -S:data --skip=data --ignore-words-list=data --count --quiet-level=num"),
    "yamllint": _runs("-s -f:word --strict --format=word --no-warnings -d:default|relaxed"),
    "lint-imports": _runs("--verbose --no-cache --show-timings"),
    "shellcheck": _runs("-s:word -e:word -S:word -f:word -o:word --shell=word --exclude=word --severity=word --format=word --color[=word] --version"),
    "shfmt": Program("-d -l -i:num -ci -c -s -bn --diff --list --indent=num --simplify", "", "check", _SAYS, check=_must("-d", "-l", "--diff", "--list")),
    "hadolint": _runs("-f:word --no-fail --ignore=word --failure-threshold=word --format=word"),
    "actionlint": _runs("-color -no-color -oneline -verbose"),
    "markdownlint": _runs("-q --quiet -i:data --ignore=data --json -j"),
    "djlint": Program("--check --lint --quiet --profile=word --extension=word --ignore=word", "", "check", _SAYS, check=_must("--check", "--lint")),
    "eslint": _runs("--ext=word --max-warnings=num --quiet --no-color --color --format=json|stylish|compact|unix|html|junit -f:json|stylish|compact|unix|html|junit -o:write --output-file=write --cache --no-cache --report-unused-disable-directives --fix-dry-run --no-error-on-unmatched-pattern --ignore-pattern=data --no-inline-config --debug --version -v --no-warn-ignored --pass-on-no-patterns"),
    "prettier": Program("--check -c --list-different -l --log-level=word --loglevel=word --ignore-unknown -u --no-color --single-quote --no-semi --tab-width=num --print-width=num --trailing-comma=word --cache --no-error-on-unmatched-pattern --version --no-editorconfig --no-config", "", "check", _SAYS, check=_must("--check", "-c", "--list-different", "-l", "--version")),
    "stylelint": _runs("--quiet --color --no-color --max-warnings=num --formatter=string|json|verbose|compact|tap|unix -f:string|json|verbose|compact|tap|unix --cache --allow-empty-input"),
    "tslint": _runs("-t:word --format=word"),
    "standard": _runs("--verbose --env=word"),
    "xo": _runs("--quiet"),
    "biome": _runs("--max-diagnostics=word --diagnostic-level=word --error-on-warnings --no-errors-on-unmatched --colors=word --verbose --reporter=word --changed --staged --since=word", "check|lint|ci target*"),
    "oxlint": _runs("--deny-warnings --quiet --format=word -f:word -D:word -A:word -W:word --max-warnings=num"),
    "tsc": _runs("--noEmit --pretty[=true|false] --skipLibCheck --strict --incremental[=true|false] --listFiles --version -v --noErrorTruncation --diagnostics --extendedDiagnostics -p:target --project=target --build -b --force --dry --traceResolution --explainFiles --emitDeclarationOnly --outDir=write --declaration --showConfig --verbose"),
    "vue-tsc": _runs("--noEmit --build -b -p:target --skipLibCheck --force"),
    "svelte-check": _runs("--threshold=word --output=word --fail-on-warnings --tsconfig=target"),
    "jest": _runs(_NODE_TEST),
    "vitest": _runs(_NODE_TEST, "run|related|list|bench target*"),
    "mocha": _runs("-g:data -f:data -t:num -b -R:dot|spec|json|tap|list|min|nyan|xunit --grep=data --fgrep=data --timeout=num --bail --reporter=dot|spec|json|tap|list|min|nyan|xunit --exit --recursive --parallel --jobs=num --forbid-only --forbid-pending --check-leaks --no-color --full-trace"),
    "ava": _runs("--verbose --fail-fast --serial -T:word -m:data --match=data --timeout=word --tap -s -c:num"),
    "tap": _runs("-R:word --no-coverage -j:num --bail"),
    "karma": _runs("--single-run --browsers=ChromeHeadless --no-auto-watch", "start"),
    "cypress": _runs("--headless --browser=chrome|electron|firefox --spec=target --quiet", "run|verify"),
    "playwright": _runs(_NODE_TEST, "test target*"),
    "next": _runs("--quiet --strict --max-warnings=num --dir=target -d:target", "build|lint"),
    "vite": _runs("--mode=word --minify[=word] --sourcemap[=word] --logLevel=word", "build"),
    "rspec": _runs("-f:d|p|documentation|progress|json -fd -fp --format=documentation|progress|json -e:data --example=data -t:word --tag=word --fail-fast[=num] --order=word --seed=num --color --no-color --profile[=num] -c -b --backtrace --only-failures --next-failure --dry-run"),
    "rubocop": _runs("-D -P --parallel --format=word -f:word --display-cop-names --fail-level=word --only=word --except=word --lint -l --no-color --force-exclusion --version"),
    "phpunit": _runs("--filter=data --testsuite=word --group=word --exclude-group=word --stop-on-failure --testdox --colors[=word] --verbose -v --debug --no-coverage --coverage-text --log-junit=write --order-by=word"),
    "phpstan": _runs("-l:word --level=word --no-progress --error-format=word --memory-limit=word --no-interaction -n", "analyse|analyze target*"),
    "psalm": _runs("--no-cache --show-info=word --threads=num --stats --no-progress --output-format=word"),
    "phpcs": _runs("-n -s -p -q --standard=PSR1|PSR2|PSR12 --extensions=word --report=full|summary|json|junit|checkstyle --colors"),
    "pint": Program("--test -v", "", "check", _SAYS, check=_must("--test")),
    "golangci-lint": _runs("-v --timeout=word --fast --disable-all --enable=word --disable=word -E:word -D:word --out-format=colored-line-number|line-number|json|tab|checkstyle|junit-xml|github-actions --max-issues-per-linter=num --max-same-issues=num --new --new-from-rev=word --tests[=word] --issues-exit-code=num --verbose --concurrency=num -j:num", "run|linters|version target*"),
    "staticcheck": _runs("-checks=word -f=word -tests=word"),
    "gofmt": Program("-l -d -s -e", "", "check", _SAYS, check=_must("-l", "-d")),
    "goimports": Program("-l -d -e", "", "check", _SAYS, check=_must("-l", "-d")),
    "gotestsum": Program("--format=word -f:word --junitfile=write --no-summary --hide-summary=word", "", "check", _SAYS, runs=True),
    "rustfmt": Program("--check --edition=num -l --color=word -q -v", "", "check", _SAYS, check=_must("--check")),
    "ctest": _runs("-V -VV -Q -N -j:num -R:data -E:data -L:data -LE:data --output-on-failure --verbose --parallel=num --timeout=num --stop-on-failure --rerun-failed --repeat=word --test-dir=target --no-tests=word --progress --quiet --preset=word -C:word --output-junit=write --schedule-random", ""),
    "ninja": _runs("-j:num -k:num -v -n -C:target --verbose --quiet --version", "all|test|check|build|lint"),
    "clang-tidy": _runs("-p:target --checks=data --quiet --warnings-as-errors=data --header-filter=data"),
    "clang-format": Program("-n --dry-run -Werror --Werror --style=file|llvm|google|chromium|mozilla|webkit|gnu|microsoft -style=file|llvm|google --verbose", "", "check", _SAYS, check=_must("-n", "--dry-run")),
    "cppcheck": _runs("-q -j:num --enable=word --error-exitcode=num --std=word --quiet --inconclusive --suppress=word --force --inline-suppr --language=word --platform=word --xml"),
    "swiftlint": _runs("--strict --quiet --reporter=word", "lint target*"),
    "ktlint": _runs("--color --relative --verbose --reporter=plain|json|checkstyle"),
    "detekt": _runs("--parallel --all-rules"),
    "sbt": _runs("-v", "test|compile|Test/compile|scalafmtCheck|scalafmtCheckAll|testQuick"),
    "lein": _runs("", "test|check"),
    "stack": _runs("--fast --no-run-tests", "test|build"),
    "cabal": _runs("-v:num", "test|build|check target*"),
    "rebar3": _runs("", "ct|eunit|dialyzer|compile|xref"),
    "terraform-docs": _runs("", "markdown target*"),
    "tflint": _runs("--recursive --format=word"),
    "pre-commit": _runs("-a -v --all-files --files=target --verbose --show-diff-on-failure --from-ref=word --to-ref=word --hook-stage=word --color=word", "run plain*"),
    "ansible-lint": _runs("-q -p -v --offline --strict --nocolor"),
    "pip-audit": _runs("--version"),
    "actions-up": _runs("--version"),
}  # fmt: skip

_CARGO = "-q -v -r -p:word -j:num --quiet --verbose --release --all --workspace --all-targets --all-features --no-default-features --features=word -F:word --package=word --exclude=word --lib --bins --bin=word --tests --test=word --examples --example=word --benches --locked --offline --frozen --no-run --no-fail-fast --doc --color=word --jobs=num --message-format=word --keep-going --profile=word --target=word --future-incompat-report --no-deps --timings"
_GO = "-v -x? -n -race -short -cover -count:num -count=num -run:data -run=data -bench:data -bench=data -benchtime:word -benchtime=word -benchmem -timeout:word -timeout=word -parallel:num -parallel=num -p:num -p=num -json -failfast -shuffle:word -shuffle=word -cpu:word -cpu=word -tags:word -tags=word -mod:readonly|vendor -mod=readonly|vendor -coverprofile:write -coverprofile=write -covermode:word -covermode=word -coverpkg:word -coverpkg=word -trimpath -list:data -list=data -skip:data -skip=data -o:write -o=write -a -asan -msan -vet:off -vet=off -fuzztime=word -skip=data".replace(
    "-x? ", ""
)
_DOTNET = "-c:word --configuration=word --no-build --no-restore -v:word --verbosity=word --filter=data --nologo --framework=word -f:word --collect=data --blame -t --list-tests --verify-no-changes --no-incremental --include=target"
_GRADLE = "-q -i -s -S --quiet --info --stacktrace --full-stacktrace --parallel --no-parallel --continue --offline --no-daemon --daemon --build-cache --no-build-cache --rerun-tasks --tests=data --console=word --warning-mode=word --dry-run -m -x:word --exclude-task=word --max-workers=num --configuration-cache --profile"
_MAVEN = "-q -B -e -U -o -V -am -amd -T:word -pl:word -P:word --quiet --batch-mode --errors --offline --no-transfer-progress -ntp --fail-fast --fail-at-end -fae -ff --also-make -DskipTests[=true] -DskipITs -Dtest=data -Dit.test=data -Dmaven.test.skip=true -Dstyle.color=word -DfailIfNoTests=word -Dsurefire.useFile=word -Dspotless.check.skip=word"

_SUBCOMMANDS: dict[str, dict[str, Program]] = {
    "cargo": {
        **dict.fromkeys(["test", "t", "build", "b", "check", "c", "doc", "bench", "clippy", "metadata", "tree", "nextest", "verify-project", "locate-project", "pkgid", "version"], _runs(_CARGO, "data*")),
        "test": _runs(_CARGO + " --include-ignored --ignored --nocapture --test-threads=num --exact --skip=data --show-output", "data*"),
        "clippy": _runs(_CARGO + " --no-deps -D:word -W:word -A:word", "data*"),
        "fmt": Program("--all --check -q --quiet -p:word --message-format=word -v", "data*", "check", _SAYS, check=_must("--check")),
        "nextest": _runs(_CARGO + " -E:data --retries=num --no-capture --run-ignored=word --partition=word", "run|list data*"),
    },
    "go": {
        **dict.fromkeys(["test", "vet", "build", "list"], _runs(_GO, "name*", clusters=False)),
        "list": _runs("-m -json -f:data -deps -e -test", "name*", clusters=False),
        "mod": _runs("", "verify|graph|why data*"),
        "version": _runs("-m", "data*"),
        "env": _runs("-json", "word*"),
        "doc": _runs("-all -short -src -u", "word*"),
    },
    "dotnet": {**dict.fromkeys(("test", "build"), _runs(_DOTNET)), "format": Program(_DOTNET, "", "check", _SAYS, check=_must("--verify-no-changes")), "--version": _runs(""), "--info": _runs("")},
    "ruff": {"check": _runs(_RUFF_CHECK), "format": Program("--check --diff -q -v --quiet --verbose --line-length=num --target-version=word --exclude=data --no-cache --preview --force-exclude", "", "check", _SAYS, check=_must("--check", "--diff")), "rule": _runs("--all", "word"), "linter": _runs(""), "--version": _runs(""), "version": _runs("")},
    "coverage": {"run": Program("-m:pytest|unittest -a -p --branch --source=word --omit=data --include=data --append --parallel-mode", "target*", "check", _SAYS, runs=True, check=_module), "report": _runs("-m -i --show-missing --skip-covered --skip-empty --fail-under=num --omit=data --include=data --sort=word --precision=num --format=word"), "html": _runs("-q -d:write --directory=write --skip-covered"), "xml": _runs("-q -o:write"), "json": _runs("-q -o:write --pretty-print"), "lcov": _runs("-o:write"), "combine": _runs("-q --keep -a", "")},
    "bundle": {"exec": Program(first_flags=True), "check": _runs(""), "list": _runs(""), "--version": _runs("")},
    "composer": {"validate": _runs("--strict --no-check-publish --no-check-lock --no-check-all"), "test": _runs(""), "lint": _runs(""), "check": _runs(""), "--version": _runs("")},
    "mix": {"test": _runs("--trace --stale --failed --cover --seed=num --only=word --exclude=word --max-failures=num"), "compile": _runs("--warnings-as-errors --force"), "format": Program("--check-formatted --dry-run", "", "check", _SAYS, check=_must("--check-formatted")), "credo": _runs("--strict"), "dialyzer": _runs("")},
    "swift": {"test": _runs("-v --parallel --filter=data --skip=data --enable-code-coverage -c:word"), "build": _runs("-v -c:word --configuration=word --build-tests"), "--version": _runs("")},
    "flutter": {"test": _runs("--coverage --no-pub -r:word --reporter=word --name=data"), "analyze": _runs("--no-pub --fatal-infos --no-fatal-infos"), "--version": _runs("")},
    "dart": {"test": _runs("-r:word --reporter=word -n:data"), "analyze": _runs("--fatal-infos --fatal-warnings"), "--version": _runs("")},
    "deno": {"test": _runs("--parallel --fail-fast --filter=data --coverage=write --quiet -q --no-check"), "check": _runs("--all -q"), "lint": _runs("--json --quiet -q"), "fmt": Program("--check -q --quiet", "", "check", _SAYS, check=_must("--check")), "--version": _runs("")},
    "bun": {"test": _runs("--bail[=num] --timeout=num --coverage -t:data --only --todo")},
    "cmake": {"--build": _runs("-j[=num] -v --parallel[=num] --target=test|all|check|build|lint -t:test|all|check|build|lint --config=word --verbose --clean-first"), "--version": _runs("")},
}  # fmt: skip

_GOALS = re.compile(r":?([\w-]+:)*(clean|test|check|build|compile\w*|classes|testClasses|assemble|lint\w*|verify|validate|package|jar|test\w*|spotlessCheck|spotless:check|checkstyle\w*|checkstyle:check|pmd\w*|detekt|ktlintCheck|jacocoTestReport|javadoc|integrationTest|dependencies|tasks|projects|properties|help|test-compile|dependency:tree)")  # fmt: skip
_TARGETS = re.compile(
    r"(test|tests|lint|check|build|all|unit|typecheck|type-check|types|mypy|ruff|pytest|flake8|eslint|verify|compile|vet|coverage|cov|ci|help|docs|doc|html"
    r"|fmt-check|format-check|check-format|check-fmt|style|spell|bench|benchmark|integration|e2e|smoke|validate|qa|quality|static|analyze|analysis|audit|typing|fast|quick|checks|linters)"
    r"([-_:./](?!.*(deploy|publish|release|push|upload|install|clean|delete|drop|reset|destroy|fix))[\w.:/-]+)?"
    r"|(format|fmt|prettier|style|types?|code|deps|licenses?)[-_:](check|test|lint|ci)"
    r"|(unit|integration|functional|e2e|py|go|js|ts|python|frontend|backend|api|web|quick|fast|smoke|run)[-_](test|tests|lint|check|build)"
)
_MAKE_VARIABLES = re.compile(r"(V|VERBOSE|CI|DEBUG|Q)=[01]?")
_MAKE = "-j[=num] -k -s -B -i -n -w -O -q -r -R -C:target --jobs[=num] --keep-going --silent --quiet --always-make --dry-run --no-print-directory --output-sync[=word] --directory=target --version -d --trace --just-print --question"


def make(walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    queue = _separate_count(words)
    used = examine(Program(_MAKE, "data*"), queue, walk.record, scope)
    for word in used.operands:
        target = word.text
        if target is None or ("=" in target and not _MAKE_VARIABLES.fullmatch(target)):
            raise NotKnown(f"{word.raw} sets a variable or is computed")
        if "=" not in target and not script_name(walk.record, target):
            raise NotKnown(f"the target {target[:60]} may do anything")
    walk.record.ran_code = True
    walk.record.say("check", _SAYS)


def _separate_count(words: list[Word]) -> list[Word]:
    """-j 4 is one option with its count."""
    queue: list[Word] = []
    for word in words:
        if queue and queue[-1].text == "-j" and re.fullmatch(r"\d+", word.text or ""):
            continue
        queue.append(word)
    return queue


def script_name(record: Record, name: str) -> bool:
    """A script or target that by its name tests, checks or builds."""
    if re.search(r"deploy|publish|release|upload|promote", name):
        record.say("deploy", f"Runs the project's script {name[:60]}, which by its name reaches further than this run.")
    return _TARGETS.fullmatch(name) is not None


def gradle(walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    _goals(walk, words, scope, _GRADLE)


def maven(walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    _goals(walk, words, scope, _MAVEN)


def _goals(walk: Walk, words: list[Word], scope: Scope, flags: str) -> None:
    used = examine(Program(flags + " --version -v", "data*"), words, walk.record, scope)
    for word in used.operands:
        if word.text is None or not _GOALS.fullmatch(word.text):
            raise NotKnown(f"{word.raw} is not a task known to test or build")
    walk.record.ran_code = True
    walk.record.say("check", _SAYS)


def subcommand(table: dict[str, Program], walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    name = words[0].text if words else None
    if name in ("--version", "-V", "version", "--help", "help") and len(words) == 1:
        walk.record.say("compute", "Prints a version or help.")
        return
    program = table.get(name or "")
    if program is None:
        raise NotKnown(f"{marks.shown(name or 'a computed word')} is not a subcommand known to be harmless")
    if program.first_flags:
        _through(walk, words[1:], scope, text)
        return
    rest = words[1:]
    used = examine(
        program,
        [word for word in rest if word.text != "--"] if name in ("test", "clippy", "fmt") else rest,
        walk.record,
        scope,
    )
    if program.kind == "check" and any(value.startswith("/") for word in used.operands for value in word.values):
        for word in used.operands:
            take("target", word, walk.record, scope)


def _through(walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    """`bundle exec rspec`: a project's runner started by its package manager."""
    if not words or words[0].text not in PROGRAMS:
        raise NotKnown("it starts a program of its own")
    walk.classify(walk, words, [], scope, text)


SPECIAL: dict[str, Judge] = {
    "make": make,
    "gmake": make,
    "gradle": gradle,
    "./gradlew": gradle,
    "mvn": maven,
    "./mvnw": maven,
    **{name: functools.partial(subcommand, table) for name, table in _SUBCOMMANDS.items()},
}
