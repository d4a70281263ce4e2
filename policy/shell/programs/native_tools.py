"""Test runners, linters and formatters in check mode of compiled and smaller languages: Go, Rust, C and C++, the JVM's,
Apple's, Haskell, OCaml and others.
"""

from __future__ import annotations

from policy.shell.grammar import Program, Used, take_operands
from policy.shell.kinds import NotKnown
from policy.shell.programs.checks import SAYS, only_checks, runs
from policy.shell.record import Record
from policy.shell.scope import Scope


def _mode_check(used: Used, record: Record, scope: Scope) -> None:
    take_operands("target*", used.operands, record, scope)
    if not used.has("-m", "--mode", "-c"):
        raise NotKnown("it rewrites files where it isn't told to only check")


_SBT = r"~(\+?([\w-]+/)?((Test|IntegrationTest|It|It/Test)/)?(test|compile|doc|clean|coverage|coverageReport|coverageAggregate|scalafmtCheck|scalafmtCheckAll|scalafmtSbtCheck|headerCheck|headerCheckAll|mimaReportBinaryIssues|testQuick|undeclaredCompileDependenciesTest|unusedCompileDependenciesTest|makeSite|unidoc|mdoc|test:compile|it:test|githubWorkflowCheck)|scalafixAll\s--check|scalafix\s--check|testOnly\s[\w.*\s-]+|project\s[\w-]+|\+\+\d[\w.]*!?)*"

PROGRAMS: dict[str, Program] = {
    "golangci-lint": runs(r"-c:~\.golangci\.(ya?ml|toml|json) --config=~\.golangci\.(ya?ml|toml|json) --new-from-merge-base=word --build-tags=word --skip-dirs=data --exclude=data --presets=word -p:word --no-config --print-issued-lines[=word] --sort-results --show-stats[=word] --allow-parallel-runners --color=word --modules-download-mode=readonly|vendor --enable-all --default=word --output.text.colors --max-same-issues=num --go=word --exclude-use-default[=word] --whole-files --path-prefix=data --concurrency=num -v --timeout=word --fast --disable-all --enable=word --disable=word -E:word -D:word --out-format=colored-line-number|line-number|json|tab|checkstyle|junit-xml|github-actions --max-issues-per-linter=num --max-same-issues=num --new --new-from-rev=word --tests[=word] --issues-exit-code=num --verbose --concurrency=num -j:num", "run|linters|version target*"),
    "staticcheck": runs("-f=text|json|stylix|stylish|sarif|binary|null -go=word -show-ignored -tags=word -version -checks=word -tests=word"),
    "gofmt": only_checks("-l -d -s -e", "-l", "-d"),
    "goimports": only_checks("-l -d -e", "-l", "-d"),
    "rustfmt": only_checks("--check --edition=num -l --color=word -q -v", "--check"),
    "ctest": runs("-T:Test|Coverage|Start -M:Experimental --build-config=word --label-regex=data --label-exclude=data --tests-regex=data --exclude-regex=data --show-only[=word] --extra-verbose --no-label-summary --test-timeout=num --quiet --no-compress-output --build-nocmake --interactive-debug-mode=num -V -VV -Q -N -j:num -R:data -E:data -L:data -LE:data --output-on-failure --verbose --parallel=num --timeout=num --stop-on-failure --rerun-failed --repeat=word --test-dir=target --no-tests=word --progress --quiet --preset=tag -C:word --output-junit=write --schedule-random", ""),
    "clang-tidy": runs("-checks=data -p=target -quiet -warnings-as-errors=data -header-filter=data --extra-arg=-std=c++17|-std=c++20|-Wall --list-checks --use-color --format-style=file --dump-config --system-headers -p:target --checks=data --quiet --warnings-as-errors=data --header-filter=data"),
    "clang-format": only_checks("--style=~file|llvm|LLVM|google|Google|chromium|Chromium|mozilla|Mozilla|webkit|WebKit|gnu|GNU|microsoft|Microsoft -style=~file|llvm|LLVM|google|Google|chromium|Chromium|mozilla|webkit --fallback-style=word --ferror-limit=num -n --dry-run -Werror --Werror --verbose", "-n", "--dry-run"),
    "cppcheck": runs("--project=target -I:target -D:word -i:target --xml-version=num --output-file=write --template=data --suppressions-list=read --max-ctu-depth=num --check-level=word --addon=misra|cert|threadsafety|y2038 --library=word -v --verbose --report-progress --errorlist --safety --std=word --file-filter=data --cppcheck-build-dir=write --suppress=data --checkers-report=write --performance-valueflow-max-if-count=num -q -j:num --enable=word --error-exitcode=num --std=word --quiet --inconclusive --force --inline-suppr --language=word --platform=tag --xml"),
    "swiftlint": runs(r"--no-cache --config=~\.swiftlint\.ya?ml --path=target --use-script-input-files --force-exclude --lenient --only-rule=word --baseline=read --working-directory=target --progress --strict --quiet --reporter=tag", "lint target*"),
    "ktlint": runs(r"--limit=num --editorconfig=~\.editorconfig -a --android --code-style=word --log-level=word --reporter=~(plain|json|checkstyle|html|sarif)(,output=(?!/)(?!.*\.\.)[\w./-]+)? --version --color --relative --verbose"),
    "detekt": runs(r"-i:data --input=data -ex:data --excludes=data -c:~(config/)?(detekt/)?detekt[\w.-]*\.ya?ml --config=~(config/)?(detekt/)?detekt[\w.-]*\.ya?ml -r:report --report=report --build-upon-default-config --baseline=read -b:read --debug --jvm-target=word --max-issues=num --parallel --all-rules"),
    "gosec": runs(r"-quiet -fmt=word -out=write -exclude=word -include=word -severity=word -confidence=word -exclude-dir=data -exclude-generated -no-fail -tests -stdout -verbose=word -tags=word -nosec", "name*", clusters=False),
    **dict.fromkeys(("ineffassign", "errcheck", "nilaway", "unparam", "gosimple", "exhaustive", "nakedret", "gocritic", "deadcode", "bodyclose", "wsl", "varcheck", "structcheck", "unconvert"), runs("-tags=word -test -blank -asserts -ignoretests -exclude=read -v", "name*", clusters=False)),
    "revive": runs(r"-config=~\.?revive\.toml -formatter=tag -exclude=data -set_exit_status -max_open_files=num", "name*", clusters=False),
    "golint": runs("-set_exit_status -min_confidence=num", "name*", clusters=False),
    "gocyclo": runs("-over=num -over:num -avg -top=num -top:num -ignore=data -ignore:data", clusters=False),
    "gocognit": runs("-over:num -over=num -top:num -avg", clusters=False),
    "misspell": runs("-error -i:data -locale:word -source=word -q -f:tag", clusters=False),
    "gofumpt": only_checks("-l -d -extra -lang=word", "-l", "-d"),
    "gci": runs("-s:word --skip-generated --custom-order", "diff|list|print target*"),
    "golines": only_checks("--dry-run -m:num --max-len=num", "--dry-run"),
    "ginkgo": runs("-r -v -p -vv --randomize-all --randomize-suites --fail-on-pending --fail-fast --keep-going --cover --coverprofile=word --race --trace --timeout=word --label-filter=data --focus=data --skip=data --procs=num --nodes=num --junit-report=write --json-report=write --output-interceptor-mode=word --no-color --poll-progress-after=word --dry-run --compilers=num --repeat=num --succinct"),
    **dict.fromkeys(("cpplint",), runs("--recursive --quiet --filter=data --linelength=num --extensions=word --exclude=data --counting=word --root=target --verbose=num --headers=word --output=tag")),
    "include-what-you-use": runs("-p:target"),
    "iwyu_tool": runs("-p:target -j:num"),
    "gcovr": runs("-r:target --root=target -e:data --exclude=data -f:data --filter=data --xml=write --html=write --html-details=write -o:write --output=write --txt[=write] --json[=write] --print-summary -s --branches -b --fail-under-line=num --fail-under-branch=num --xml-pretty --exclude-unreachable-branches --sonarqube=write --lcov=write --cobertura=write -j:num --gcov-ignore-parse-errors --exclude-throw-branches --merge-mode-functions=word -x -k"),
    "lcov": runs("-c --capture -d:target --directory=target -o:write --output-file=write -r:read --remove=read -l:read --list=read -a:read --add-tracefile=read --no-external --summary=read -q --quiet -e:read --extract=read --ignore-errors=word --base-directory=target -b:target --initial -i --branch-coverage --fail-under-lines=num -t:tag --test-name=word", "data*"),
    "genhtml": runs("-o:write --output-directory=write --title=data -t:data --legend --branch-coverage --function-coverage -q --quiet --demangle-cpp -p:target --prefix=target --ignore-errors=word --num-spaces=num --dark-mode"),
    "gcov": runs("-b -c -n -o:target -p -r -f -l -a -m --branch-probabilities --no-output --object-directory=target --json-format --stdout"),
    "cmake-format": only_checks("--check -l:word", "--check"),
    "cmake-lint": runs("--suppress-decorations"),
    "gersemi": only_checks("--check -c --diff -l:num", "--check", "-c", "--diff"),
    "flawfinder": runs("--minlevel=num -m:num --error-level=num --quiet -Q -D -c --columns --html -C -S"),
    "uncrustify": only_checks(r"--check -q -l:word -c:~\.?uncrustify\.cfg", "--check"),
    "cargo-deny": runs("--all-features --workspace -L:word", "check word*"),
    "taplo": only_checks("--check --diff --colors=word", "--check"),
    "dprint": runs("--list-different", "check target*"),
    "trunk": runs("--release --dist=write", "=build target*"),
    "sbt": runs(r"-v -no-colors -Dsbt.color=word -Dsbt.ci=true --no-colors --batch -batch --supershell=false", _SBT),
    "lein": runs("", "test|check|eastwood|kibit|cloverage|bikeshed|compile|deps|version ~:only|:unit|:integration|:all|[\\w-]+\\.[\\w.-]+*"),
    "rebar3": runs("-v -c --check --cover --verbose --suite=data --module=word --dir=target --readable=word", "ct|eunit|dialyzer|compile|xref|lint|fmt|cover|proper|edoc|tree"),
    "mill": runs(r"-j:num -i --no-server --disable-ticker", r"~(__|[\w.]+)\.(test|compile|checkFormat)(\.testLocal)?"),
    "scalafmt": only_checks("--check --test --list --diff --quiet --non-interactive", "--check", "--test", "--list"),
    "scalafix": only_checks("--check --test", "--check", "--test"),
    "clj-kondo": runs("--lint=target --parallel --fail-level=word --cache=word --filename=data"),
    "cljfmt": runs("", "=check target*"),
    "ktfmt": only_checks("--dry-run -n --set-exit-if-changed --kotlinlang-style --google-style", "--dry-run", "-n"),
    "google-java-format": only_checks("-n --dry-run --set-exit-if-changed -a --aosp --skip-sorting-imports", "-n", "--dry-run"),
    "pmd": runs(r"-d:target --dir=target -f:tag --format=tag -R:~[\w.,/-]+\.xml|category/[\w./-]+|rulesets/[\w./-]+ --rulesets=~[\w./,-]+ --no-cache --no-progress -r:write --fail-on-violation=word --minimum-priority=word", "=check"),
    "swiftformat": only_checks(r"--lint --dryrun --quiet --strict --verbose --config=~\.swiftformat --swiftversion=word --exclude=data --reporter=tag --lenient --cache=ignore", "--lint", "--dryrun"),
    "swift-format": runs(r"-r --recursive -s --strict -p --parallel --configuration=~\.swift-format", "=lint target*"),
    "periphery": runs("--strict --quiet --format=tag --skip-build --retain-public --targets=word --schemes=word --workspace=target --project=target --relative-results", "=scan"),
    "xcpretty": runs("-c -s -t --color --simple --test --report=tag -r:tag --output=write"),
    "xcbeautify": runs("-q --quiet --is-ci --disable-logging --report=tag --report-path=write --renderer=word"),
    **dict.fromkeys(("stack",), runs("--fast --no-run-tests --no-run-benchmarks --test --no-terminal --system-ghc --pedantic --coverage --haddock --no-haddock-deps --dry-run --resolver=tag --jobs=num -j:num --flag=data --ta=data --test-arguments=data --skip-ghc-check --no-install-ghc --ghc-options=~-W\\w+(\\s-W\\w+)* --color=word --keep-going --bench", "test|build|haddock|ls|path|query|bench target*")),
    "cabal": runs(r"-v:num -j[=num] --enable-tests --disable-tests --enable-benchmarks --enable-coverage --test-show-details=tag --ghc-options=~-W\w+(\s-W\w+)* -O:num --offline --keep-going --haddock-all --flags=data -f:data --dry-run -w:~ghc(-[\d.]+)? --with-compiler=~ghc(-[\d.]+)? --project-file=~cabal\.project[\w.-]* --minimize-conflict-set", "test|build|check|haddock|bench|v2-build|v2-test|new-build|new-test|outdated|list-bin name*"),
    "hlint": runs(r"-h:~\.hlint\.ya?ml --hint=~\.hlint\.ya?ml -j[=num] -q --quiet --no-exit-code --ignore=data -i:data --json -g --git --color[=word] -X:word --report[=write]"),
    **dict.fromkeys(("ormolu", "fourmolu"), Program("-m:check|stdout --mode=check|stdout -c --check-idempotence -q --quiet -o:tag --ghc-opt=~-X\\w+ --color=word --no-cabal", "target*", "check", SAYS, check=_mode_check)),
    "stylish-haskell": runs("-r -v"),
    "weeder": runs(),
    "doctest": runs("-i:target -X:word"),
    "ocamlformat": only_checks("--check", "--check"),
    "nim": runs("--hints:off --verbosity:0 --styleCheck:error --warnings=word", "check|doc target*"),
    "nimble": runs("-y --verbose", "test|check|build word*"),
    "luacheck": runs(r"-q -qq --no-color --std=word --config=~\.luacheckrc --codes --no-unused --no-max-line-length --globals=data --formatter=tag -g --no-cache -j:num --exclude-files=data --ignore=data --only=data"),
    "stylua": only_checks(r"--check -c --color=word --verify --config-path=~\.?stylua\.toml --output-format=tag", "--check", "-c"),
    "selene": runs(r"-q --display-style=word --color=word --no-summary --allow-warnings --config=~selene\.toml"),
    "busted": runs("-v -o:tag --output=tag --tags=data -t:data --exclude-tags=data --filter=data --coverage -c --verbose --no-auto-insulate --shuffle -p:data --pattern=data --run=word -r:tag --defer-print --keep-going"),
    "crystal": runs("--error-trace --verbose -v --no-color --tag=data --order=word -Dpreview_mt -p --progress --stats -s --release --warnings=word --error-on-warnings --junit_output=write --fail-fast --example=data --check --no-codegen", "spec|docs|build target*"),
    "ameba": runs("--format=tag --fail-level=word --all --only=word --except=word --no-color"),
    "shards": runs("", "check|list|version"),
    "gleam": runs("--target=tag --warnings-as-errors --check", "test|build|check|docs word*"),
    "prove": runs("-l -r -v -b -j:num -s -f -p -q -Q -lr -lv -lrv --lib --recurse --verbose --jobs=num --shuffle --timer --merge --color --nocolor --failures --comments --blib --state=word --formatter=TAP::Formatter::JUnit|TAP::Formatter::Console"),
    "perlcritic": runs(r"--severity=num -1 -2 -3 -4 -5 --gentle --stern --harsh --cruel --brutal --quiet --verbose=num --profile=~\.perlcriticrc -p:~\.perlcriticrc --theme=data --include=data --exclude=data --color --count --statistics"),
    "spago": runs("--quiet -q --pedantic-packages --strict -p:word --offline", "build|test|docs|ls"),
    "solhint": runs(r"-c:~\.solhint\.json --config=~\.solhint\.json -f:tag -w:num --max-warnings=num -q --noPrompt"),
    "slither": runs("--exclude=word --fail-high --fail-medium --fail-low --fail-pedantic --fail-none --filter-paths=data --exclude-informational --exclude-dependencies --exclude-optimization --exclude-low --json=write --sarif=write --checklist --detect=word --print=word"),
    "verilator": runs("--lint-only -Wall --top-module=word -I:target --timing -sv --Wall -Wno-fatal --bbox-unsup"),
    "elvis": runs("", "=rock"),
    "erlfmt": only_checks("--check -c --verbose", "--check", "-c"),
}  # fmt: skip
