"""Ruby's and PHP's test runners, linters and type checkers."""

from __future__ import annotations

from policy.shell.grammar import Program, Used, take_operands
from policy.shell.kinds import NotKnown
from policy.shell.programs.checks import SAYS, only_checks, runs
from policy.shell.record import Record
from policy.shell.scope import Scope


def _fixer(used: Used, record: Record, scope: Scope) -> None:
    """`fix` and `process` change files where they aren't told to only show what they would do."""
    verb = used.operands[0].text if used.operands else None
    if verb not in ("check", "fix", "process", "list-files") or (verb != "check" and not used.has("--dry-run")):
        raise NotKnown("it rewrites files where it isn't told to only check")
    take_operands("target*", used.operands[1:], record, scope)


PROGRAMS: dict[str, Program] = {
    "rspec": runs("-P:data --pattern=data --exclude-pattern=data -fj -r:spec_helper|rails_helper --require=spec_helper|rails_helper --warnings -w --no-profile --force-color -N --fail-if-no-examples --out=write -o:write -f:~(d|p|h|j|f|documentation|progress|json|html|failures|doc|github|Fuubar|RspecJunitFormatter|RSpec::Github::Formatter) -fd -fp --format=~(d|p|h|j|f|documentation|progress|json|html|failures|doc|github|Fuubar|RspecJunitFormatter|RSpec::Github::Formatter) -e:data --example=data -t:data --tag=data --fail-fast[=num] --order=word --seed=num --color --no-color --profile[=num] -c -b --backtrace --only-failures --next-failure --dry-run"),
    "rubocop": runs(r"-c:~\.rubocop\.ya?ml --config=~\.rubocop\.ya?ml -S -E -L -fs -fq --fail-fast -F --cache=word --color --extra-details -d --debug --out=write -o:write --no-server --no-parallel --display-only-fail-level-offenses --ignore-parent-exclusion --show-cops -f:tag --disable-pending-cops --enable-pending-cops -D -P --parallel --format=tag -f:tag --display-cop-names --fail-level=word --only=word --except=word --lint -l --no-color --force-exclusion --version"),
    "phpstan": runs(r"-c:~phpstan[\w.-]*\.neon(\.dist)? --configuration=~phpstan[\w.-]*\.neon(\.dist)? --ansi --no-ansi --debug -q -v -vvv --quiet --error-format=tag -l:word --level=word --no-progress --error-format=tag --memory-limit=word --no-interaction -n", "analyse|analyze target*"),
    "psalm": runs(r"--config=~psalm\.xml(\.dist)? -c:~psalm\.xml(\.dist)? --no-diff --diff --taint-analysis --long-progress --monochrome --output-format=tag --report=write --find-dead-code[=word] --show-snippet=word --php-version=word --find-unused-psalm-suppress -m --no-cache --show-info=word --threads=num --stats --no-progress --output-format=tag"),
    "phpcs": runs(r"--standard=~\.?phpcs[\w.-]*\.xml(\.dist)?|PSR1|PSR2|PSR12|WordPress|Drupal|Doctrine --ignore=data --parallel=num --no-colors --warning-severity=num --error-severity=num --report-file=write --cache --no-cache -v -n -s -p -q --extensions=word --report=full|summary|json|junit|checkstyle --colors"),
    "pint": only_checks("--test -v", "--test"),
    **dict.fromkeys(("standardrb", "erblint", "erb_lint", "haml-lint", "slim-lint", "reek", "flog", "flay", "fasterer", "rails_best_practices", "mdl"), runs("--lint-all -q --quiet --no-fix --format=tag -f:tag --no-color --fail-level=word --no-exit-on-warn -c:~\\.[\\w-]+\\.ya?ml --config=~\\.[\\w-]+\\.ya?ml -m:num --no-wiki-links --no-progress")),
    "brakeman": runs(r"-q --quiet -z -w:num -A --no-pager -f:tag --format=tag -o:write --output=write --no-exit-on-warn --no-exit-on-error --exit-on-warn --no-summary --color --no-color -6 -7 -5 -i:read --except=word --skip-files=data --no-progress -p:target --path=target --confidence-level=num"),
    "bundle-audit": runs("-q --quiet -v --format=tag", "=check"),
    "bundler-audit": runs("-q --quiet -v --format=tag", "=check"),
    "steep": runs("-j:num --jobs=num --log-level=word --severity-level=word --with-expectations", "check|stats|validate target*"),
    "srb": runs("--quiet -q", "=tc target*"),
    "rbs": runs("--log-level=word -I:target", "validate|list|parse target*"),
    "cucumber": runs(r"-t:data --tags=data -p:word --profile=tag -f:progress|pretty|summary|junit --format=progress|pretty|summary|junit --dry-run -d --strict --fail-fast --no-color --publish-quiet --name=data -n:data -q -x"),
    "parallel_rspec": runs("-n:num --verbose"),
    "parallel_test": runs("-n:num --verbose"),
    "yard": runs("-q -o:write --output-dir=write --no-progress --fail-on-warning --list-undoc --markup=tag -n --no-save", "doc|stats target*"),
    "rdoc": runs("-q -o:write --op=write"),
    "m": runs("-v"),
    "licensed": runs("-f:tag --format=tag", "status|list"),
    "i18n-tasks": runs("-f:tag -l:word", "health|missing|unused|check-normalized|check-consistent-interpolations"),
    "packwerk": runs("", "check|validate target*"),
    "database_consistency": runs(),
    "rubycritic": runs("--no-browser -f:tag --format=tag -p:write --path=write --minimum-score=num"),
    "ruumba": runs("-e -D"),
    **dict.fromkeys(("phpunit", "pest", "paratest"), runs(r"--filter=data --testsuite=word --exclude-group=word --stop-on-failure --stop-on-error --stop-on-defect --testdox --colors[=word] --verbose -v --debug --no-coverage --coverage-text[=word] --log-junit=write --order-by=word -c:~phpunit[\w.-]*\.xml(\.dist)? --configuration=~phpunit[\w.-]*\.xml(\.dist)? --coverage-html=write --coverage-clover=write --coverage-xml=write --coverage-cobertura=write --coverage-filter=target --no-progress --display-deprecations --display-warnings --display-errors --display-all-issues --fail-on-warning --fail-on-risky --fail-on-deprecation --fail-on-skipped --list-tests --testdox-html=write --testdox-text=write --teamcity --strict-coverage --random-order --random-order-seed=num --bootstrap=vendor/autoload.php --no-interaction --parallel -p:num --processes=num --coverage --min=num --ci --compact --exactly=num --type-coverage --group=data --do-not-cache-result --cache-result --no-results --repeat=num --runner=WrapperRunner|SqliteRunner --functional -f --bail --profile --retry --dirty --columns=num --no-output --disallow-test-output --enforce-time-limit")),
    "php-cs-fixer": Program(r"--dry-run --diff -v -vv -vvv --verbose --using-cache=word --config=~\.php-cs-fixer(\.dist)?\.php|\.php_cs(\.dist)? --allow-risky=word --show-progress=word --format=tag --stop-on-violation --path-mode=word --no-interaction -n --ansi --no-ansi --rules=word --sequential -q", "", "check", SAYS, check=_fixer),
    "phpmd": runs(r"--exclude=data --suffixes=word --minimumpriority=num --ignore-violations-on-exit --strict --color --reportfile=write", r"target text|html|xml|json|ansi|github|sarif ~[\w.,/-]+"),
    "rector": Program(r"--dry-run -n --no-progress-bar --clear-cache --no-diffs --ansi --config=~rector\.php -c:~rector\.php --output-format=tag --debug --memory-limit=word", "", "check", SAYS, check=_fixer),
    "ecs": Program(r"--no-progress-bar --clear-cache --config=~ecs\.php --no-error-table --output-format=tag", "check target*", "check", SAYS),
    "deptrac": runs(r"--no-progress --report-uncovered --fail-on-uncovered --config-file=~deptrac[\w.-]*\.ya?ml --formatter=tag --no-interaction", "=analyse target*"),
    "parallel-lint": runs("-j:num --exclude=data --colors --no-colors -e:word --no-progress --checkstyle --blame"),
    "phplint": runs("-q --no-cache --exclude=data -j:num --warning --no-progress"),
    "phploc": runs(),
    "phpcpd": runs("--min-lines=num --min-tokens=num --exclude=data"),
    "phpbench": runs("--report=tag --progress=tag --iterations=num --revs=num --filter=data", "=run target*"),
    "codecept": runs("--coverage --coverage-html --steps -v --debug -d --no-colors -f --fail-fast --skip=word -g:word --group=word --html --xml --no-interaction", "run|build word*"),
    "behat": runs("--tags=data --suite=word --format=tag -f:tag --stop-on-failure --no-interaction --strict --dry-run --colors --no-colors -v -p:word --profile=tag"),
    "phpspec": runs("--format=tag -f:tag --no-interaction -n --stop-on-failure -v", "=run target*"),
    "infection": runs("--threads=tag -j:word --min-msi=num --min-covered-msi=num --only-covered --show-mutations --no-progress --filter=data --coverage=target --skip-initial-tests"),
    "grumphp": runs("--testsuite=word --tasks=word --no-interaction -n", "=run"),
    "twigcs": runs("--severity=word"),
    "tlint": runs("", "lint target*"),
    "churn": runs("", "=run target*"),
    "phan": runs(r"-p --progress-bar -o:write --no-progress-bar --allow-polyfill-parser -k:~(\.phan/)?config\.php --color -j:num -m:word"),
    "composer-unused": runs("--no-progress"),
    "composer-require-checker": runs("", "check target*"),
}  # fmt: skip
