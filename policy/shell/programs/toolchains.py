"""Toolchains of languages: one program with subcommands, of which those that test, check or build are free."""

from __future__ import annotations

import functools
import re

from policy.shell import marks
from policy.shell.grammar import Program, examine
from policy.shell.kinds import NotKnown, take
from policy.shell.programs import native_tools, python_tools
from policy.shell.programs.checks import only_checks, runs
from policy.shell.scope import Scope
from policy.shell.walk import Judge, Walk
from policy.shell.words import Word

_CARGO = "-q -v -vv -r -p:word -j:num --quiet --verbose --release --all --workspace --all-targets --all-features --no-default-features --features=data -F:data --package=word --exclude=word --lib --bins --bin=word --tests --test=word --examples --example=word --benches --bench=word --locked --offline --frozen --no-run --no-fail-fast --doc --color=word --jobs=num --message-format=word --keep-going --profile=tag --target=tag --future-incompat-report --no-deps --timings --document-private-items -i:word --invert=word -d --duplicates -e:word --edges=word --prefix=word --depth=num --format-version=num --filter-platform=word --manifest-path=target --target-dir=write --each-feature --feature-powerset --no-dev-deps"
_CARGO_TEST = (
    " --include-ignored --ignored --nocapture --no-capture --test-threads=num --exact --skip=data --show-output"
)
_CARGO_COVERAGE = (
    _CARGO
    + _CARGO_TEST
    + " --lcov --html --json --text --cobertura --codecov --summary-only --output-path=write --output-dir=write --ignore-filename-regex=data --fail-under-lines=num --no-report --doctests --branch --no-clean --out=word -o:tag --engine=word --timeout=num -t:num --ignore-tests --exclude-files=data --skip-clean --line --fail-under=num --run-types=word --no-cfg-coverage"
)
_GO = "-v -n -race -short -cover -count:num -count=num -run:data -run=data -bench:data -bench=data -benchtime:word -benchtime=word -benchmem -timeout:word -timeout=word -parallel:num -parallel=num -p:num -p=num -json -failfast -shuffle:word -shuffle=word -cpu:word -cpu=word -tags:~[\\w\\s,]+ -tags=~[\\w\\s,]+ -mod:readonly|vendor -mod=readonly|vendor -coverprofile:write -coverprofile=write -covermode:word -covermode=word -coverpkg:word -coverpkg=word -trimpath -list:data -list=data -skip:data -skip=data -o:write -o=write -a -asan -msan -vet:off -vet=off -fuzztime=word -buildvcs=true|false|auto -buildmode=word -pgo=off|auto"
_GO_VALUES = rf"(\s|-s|-w|-X\s+'?[\w./-]+=[\w.:+{marks.SLUG}{marks.NUMBER}-]*'?)*"
_GO_LINKED = (
    rf" -ldflags=~{_GO_VALUES} -ldflags:~{_GO_VALUES}"
    r" -gcflags=~(all=)?(-N|-l|-m|-e|\s)* -gcflags:~(all=)?(-N|-l|-m|-e|\s)*"
)
# Packages of the module; another module's path would be fetched.
_GO_PACKAGES = r"~(\.\.\.|\.(/[\w-][\w.-]*)*(/|/\.\.\.)?|[A-Za-z_][\w-]*(/[\w-][\w.-]*)*(/\.\.\.)?|[\w/-]+\.go)*"
_DOTNET = r"-c:tag --configuration=tag --no-build --no-restore --no-dependencies -v:word --verbosity=word --filter=data --nologo -nologo --framework=word -f:tag --collect=data --blame --blame-hang --blame-hang-timeout=word --blame-crash -t --list-tests --verify-no-changes --no-incremental --include=target --exclude=target -l:~(trx|console|html|junit|GitHubActions|nunit|xunit)(;[\w=.;{}-]+)* --logger=~(trx|console|html|junit|GitHubActions|nunit|xunit)(;[\w=.;{}-]+)* --results-directory=write -r:tag --runtime=word --arch=word --os=word -o:write --output=write --no-self-contained -warnaserror -maxcpucount -m --settings=~([\w-]+/)*[\w.-]*\.?runsettings -s:~([\w-]+/)*[\w.-]*\.?runsettings -p:~(CollectCoverage|TreatWarningsAsErrors|Configuration|Version|PackageVersion|ContinuousIntegrationBuild|Coverlet\w*|WarningLevel|RunAnalyzers\w*|Platform|Deterministic|UseSharedCompilation|EnforceCodeStyleInBuild|TargetFramework|GenerateDocumentationFile|NoWarn|WarningsAsErrors|Threshold\w*)=[\w.-]* --severity=word --diagnostics=word --report=write --tl[=word] --interactive=false --include-symbols --include-source --version-suffix=word -graph"
_DART = "--coverage --no-pub -r:tag --reporter=tag --name=data -n:data --plain-name=data --machine --concurrency=num -j:num --tags=data -t:data --exclude-tags=data -x:data --fatal-infos --no-fatal-infos --fatal-warnings --no-fatal-warnings --write=write --test-randomize-ordering-seed=word --dart-define=data --file-reporter=data --timeout=word --chain-stack-traces -p:word --platform=tag"
_SWIFT = "-v -q --parallel --num-workers=num --filter=data --skip=data --enable-code-coverage -c:debug|release --configuration=debug|release --build-tests --target=tag --product=word -j:num --jobs=num --disable-automatic-resolution --skip-update --sanitize=word --xunit-output=write --enable-test-discovery --static-swift-stdlib --arch=word --show-bin-path --package-path=target -Xswiftc:-warnings-as-errors|-enable-testing|-strict-concurrency=complete --quiet --traits=word --explicit-target-dependency-import-check=word"

SUBCOMMANDS: dict[str, dict[str, Program]] = {
    **python_tools.SUBCOMMANDS,
    "cargo": {
        **dict.fromkeys(("build", "b", "check", "c", "doc", "metadata", "tree", "verify-project", "locate-project", "pkgid", "version", "semver-checks", "read-manifest"), runs(_CARGO, "data*")),
        **dict.fromkeys(("test", "t", "bench"), runs(_CARGO + _CARGO_TEST, "data*")),
        "clippy": runs(_CARGO + " --no-deps -D:~[\\w:-]+ -W:~[\\w:-]+ -A:~[\\w:-]+ --deny=word --warn=word --allow=word", "data*"),
        "fmt": only_checks("--all --check --manifest-path=target -q --quiet -p:word --message-format=word -v --verbose -l --package=word --edition=num --color=word", "--check"),
        "nextest": runs(_CARGO + " -E:data --filter-expr=data --retries=num --no-capture --run-ignored=word --partition=word --test-threads=word --failure-output=word --success-output=word --status-level=word --final-status-level=word --no-tests=word --hide-progress-bar -P:word --fail-fast", "run|list|show-config data*"),
        **dict.fromkeys(("llvm-cov", "tarpaulin"), runs(_CARGO_COVERAGE, "test|nextest|report|show-env data*")),
        "deny": runs("--all-features --workspace --locked --offline --exclude=word --log-level=word -L:word --hide-inclusion-graph --color=word --format=tag --show-stats -s -A:word -D:word -W:word", "check|list word*"),
        **dict.fromkeys(("machete", "udeps", "geiger", "public-api"), runs("--all-targets --all-features --with-metadata --workspace -q")),
        "sort": only_checks("--check -c --workspace -w --grouped -g --check-format", "--check", "-c"),
        "hack": runs(_CARGO + " -D:~[\\w:-]+", "check|test|build|clippy|doc data*"),
        "miri": runs(_CARGO + _CARGO_TEST + "", "test|setup data*"),
        "help": runs("", "word*"),
    },
    "go": {
        **dict.fromkeys(["test", "build"], runs(_GO + _GO_LINKED, _GO_PACKAGES, clusters=False)),
        "vet": runs(_GO, _GO_PACKAGES, clusters=False),
        "list": runs("-m -json -f:data -deps -e -test -tags=word -find -compiled -mod=readonly|vendor", "name*", clusters=False),
        "mod": runs("-m", "verify|graph|why data*"),
        "version": runs("-m", "data*"),
        "env": runs("-json", "word*"),
        "doc": runs("-all -short -src -u -c -cmd", "word*"),
        "tool": Program("-func=read -func:read -html=read -html:read -o=write -o:write", "=cover", "check", "Reads a coverage profile.", clusters=False),
        "help": runs("", "word*"),
    },
    "dotnet": {
        **dict.fromkeys(("test", "build", "pack", "vstest"), runs(_DOTNET)),
        "format": only_checks(_DOTNET, "--verify-no-changes"),
        "list": runs("--include-transitive --framework=word --format=tag", "target* package|reference"),
        "sln": runs("", "target list"),
        "csharpier": only_checks("--check --no-cache --loglevel=word --write-stdout --include-generated", "--check"),
        **dict.fromkeys(("--version", "--info", "--list-sdks", "--list-runtimes", "help"), runs()),
    },
    "mix": {
        "test": runs("--trace --stale --failed --cover --seed=num --only=data --exclude=data --include=data --max-failures=num --warnings-as-errors --slowest=num --color --no-color --formatter=tag --partitions=num --raise --all-warnings --export-coverage=word --no-start --no-deps-check --no-compile --umbrella"),
        "compile": runs("--warnings-as-errors --force --all-warnings --no-deps-check --verbose --profile=time"), "format": only_checks("--check-formatted --dry-run --check-equivalent", "--check-formatted", "--dry-run"),
        "credo": runs("--strict -a --all --format=tag --min-priority=word -C:word --mute-exit-status --only=data --ignore=data --verbose", "list|suggest|info|diff target*"), "dialyzer": runs("--format=tag --no-check --halt-exit-status --plt --list-unused-filters --quiet --ignore-exit-status"),
        "deps.unlock": only_checks("--check-unused", "--check-unused"),
        "docs": runs("-f:tag --formatter=tag -o:write --output=write --warnings-as-errors"), "xref": runs("--format=tag --label=word --source=target --sink=target --fail-above=num", "graph|callers|trace|unreachable|deprecated data*"),
        **dict.fromkeys(("deps", "deps.tree", "app.tree", "help", "coveralls", "coveralls.html", "coveralls.json", "coveralls.xml", "doctor", "sobelow", "inch", "hex.info", "phx.routes", "--version", "boundary.spec", "check", "ci", "lint", "quality"), runs("--all --full --raise --summary --config --exit --skip --umbrella --format=tag --private --verbose -u --only=word --exclude=word", "word*")),
    },
    "swift": {"test": runs(_SWIFT), "build": runs(_SWIFT), "package": runs("--type=word --format=tag", "describe|dump-package|show-dependencies|tools-version"), "format": Program("-r -s -p --recursive --strict --parallel --configuration=~\\.swift-format", "=lint target*", "check", "Runs the project's tests, checks or build."), "--version": runs()},
    "flutter": {"test": runs(_DART), "analyze": runs(_DART), "build": runs("--debug --release --profile --no-pub --no-codesign --no-tree-shake-icons --target=target -t:target --flavor=word --dart-define=data --split-per-abi --no-sound-null-safety --simulator -v --build-number=num --build-name=word --obfuscate", "apk|appbundle|ios|web|linux|macos|windows|bundle|aar|ipa"), "doctor": runs("-v"), "--version": runs()},
    "dart": {"test": runs(_DART), "analyze": runs(_DART), "format": only_checks("-o:none|show|json --output=none|show|json --set-exit-if-changed -l:num --line-length=num --show=word --page-width=num", "--set-exit-if-changed", "-o", "--output"), "doc": runs("-o:write --output=write --validate-links --dry-run"), "compile": runs("-o:write --output=write -O:num --verbosity=word", "exe|js|aot-snapshot|kernel|jit-snapshot|wasm target"), "--version": runs()},
    "deno": {"test": runs("--parallel --fail-fast[=num] --filter=data --coverage=write --quiet -q --no-check --doc --shuffle[=num] --trace-leaks --reporter=tag --junit-path=write --permit-no-files --frozen -A --allow-all --allow-read[=word] --allow-env[=word] --allow-write[=word] --allow-run[=word] --allow-sys[=word] --allow-hrtime"), "check": runs("--all -q --doc --frozen"), "lint": runs("--json --quiet -q --compact --rules"), "fmt": only_checks("--check -q --quiet --line-width=num --indent-width=num --use-tabs --no-semicolons --single-quote --prose-wrap=word", "--check"), "doc": runs("--html --lint --json --private --name=data --output=write --filter=word"), "bench": runs("--filter=data --no-run --json"), "coverage": runs("--lcov --html --output=write --exclude=data --include=data --detailed"), "--version": runs()},
    "zig": {"build": runs("-Doptimize=Debug|ReleaseSafe|ReleaseFast|ReleaseSmall --summary=word -freference-trace --verbose -j:num --color=word --release[=word]", "~test|lint|check|docs|fmt|tests|unit-test*"), "test": runs("-O:word --summary=word"), "fmt": only_checks("--check --ast-check --color=word", "--check"), "ast-check": runs(), "version": runs(), "env": runs()},
    "dune": {**dict.fromkeys(("build", "test", "runtest", "b"), runs("-j:num --profile=tag --display=tag --force -f --no-buffer --root=~\\. --verbose --error-reporting=word -p:word --only-packages=word --cache=word --instrument-with=bisect_ppx --release", "~@?(\\.?[\\w-]+/)*(fmt|check|all|runtest|default|doc|lint|test|tests|[\\w-]+\\.(exe|bc|cma|cmxa))*")), "fmt": only_checks("--preview", "--preview"), "--version": runs()},
    "forge": {**dict.fromkeys(("test", "build", "coverage", "inspect", "tree", "lint", "doc"), runs("-v -vv -vvv -vvvv --match-test=data --mt=data --match-contract=data --mc=data --match-path=data --no-match-test=data --gas-report --sizes --fuzz-runs=num --fuzz-seed=word --force --summary --report=tag --use=word --optimize --optimizer-runs=num --via-ir --json --list --skip=word --build-info --deny-warnings --offline --color=word --build", "word*")), "fmt": only_checks("--check --raw", "--check"), "snapshot": runs("--check --diff")},
}  # fmt: skip
_TOOLCHAIN = re.compile(r"\+stable")
# Their own `--` only parts one half of the words from the other.
_PARTED = frozenset({"test", "t", "clippy", "fmt", "bench", "nextest"})


def subcommand(table: dict[str, Program], walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    queue = (
        words[1:] if words and _TOOLCHAIN.fullmatch(words[0].text or "") and table is SUBCOMMANDS["cargo"] else words
    )
    name = queue[0].text if queue else None
    if name in ("--version", "-V", "version", "--help", "help") and len(queue) == 1:
        walk.record.say("compute", "Prints a version or help.")
        return
    program = table.get(name or "")
    if program is None:
        raise NotKnown(f"{marks.shown(name or 'a computed word')} is not a subcommand known to be harmless")
    rest = [word for word in queue[1:] if word.text != "--"] if name in _PARTED else queue[1:]
    used = examine(program, rest, walk.record, scope)
    if program.kind == "check" and any(value.startswith("/") for word in used.operands for value in word.values):
        for word in used.operands:
            take("target", word, walk.record, scope)


def in_turn(name: str, walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    """`mix do compile, test`: several subcommands after one another."""
    if [word.text for word in words[:2]] == ["as", "test"]:
        words = words[2:]
    if not words or words[0].text != "do":
        _one(name, walk, words, scope, text)
        return
    part: list[Word] = []
    for word in [*words[1:], Word((",",), ",")]:
        ends = (word.text or "").endswith(",") or word.text == "+"
        stripped = (word.text or "?").rstrip(",+")
        part += [Word((stripped,), word.raw)] if word.text is not None and stripped else [] if ends else [word]
        if ends and part:
            _one(name, walk, part, scope, text)
            part = []


def _one(name: str, walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    if name == "mix":
        subcommand(SUBCOMMANDS["mix"], walk, words, scope, text)
    else:
        examine(native_tools.PROGRAMS[name], words, walk.record, scope)


def dotnet(walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    """Its options also take their values after a colon; what follows -- are settings of the test host."""
    if any(word.text == "--" for word in words):
        raise NotKnown("it hands words on to the test host")
    opened = [Word(tuple(_in_dashes(value) for value in word.values), word.raw) for word in words]
    parted = [part for word in opened for part in _property(word)]
    subcommand(SUBCOMMANDS["dotnet"], walk, parted, scope, text)


def _in_dashes(text: str) -> str:
    return re.sub(r"^(--[\w-]+):", r"\1=", re.sub(r"^/(?=(warnaserror|nologo|m|maxcpucount)$)", "-", text))


def _property(word: Word) -> list[Word]:
    found = re.fullmatch(r"[-/]p:(.*)", word.text or "", re.DOTALL)
    return [Word(("-p",), word.raw), Word((found[1],), word.raw)] if found else [word]


def go_tests(walk: Walk, words: list[Word], scope: Scope, text: str) -> None:
    """gotestsum: its own options, then after -- those of `go test`."""
    at = next((at for at, word in enumerate(words) if word.text == "--"), len(words))
    flags = "--format=tag -f:tag --junitfile=write --no-summary --hide-summary=word --jsonfile=write --rerun-fails[=num] --packages=name --format-hide-empty-pkg --format-icons=word --junitfile-testsuite-name=word --junitfile-testcase-classname=word --max-fails=num --no-color --debug --version"
    examine(runs(flags, _GO_PACKAGES), words[:at], walk.record, scope)
    examine(SUBCOMMANDS["go"]["test"], words[at + 1 :], walk.record, scope)


SPECIAL: dict[str, Judge] = {
    **{name: functools.partial(subcommand, table) for name, table in SUBCOMMANDS.items()},
    "dotnet": dotnet,
    "mix": functools.partial(in_turn, "mix"),
    "rebar3": functools.partial(in_turn, "rebar3"),
    "gotestsum": go_tests,
}
