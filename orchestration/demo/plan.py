"""The demo's workflow, as data.

Called by make_demo. Uses bash, grep, sort and their like alone, writes inside its workspace, and waits now and then
so that the run can be watched. Policy lets all of it run by itself but the push; a second person approves twice.
"""

from typing import Any

HARBOURS = "Aberdeen Dover Galway Lerwick Newlyn Whitby"

LOOK_AROUND = """\
printf 'What stands in the plan of storm warnings:\\n'
grep -n '^## Phase' docs/project_plans/implementation_plans/storm-warnings-v1.md
for part in README.md CHANGELOG.md data/tides.csv data/warnings.csv; do
  printf '%s: ' "$part"
  grep -c '' "$part"
  sleep 1
done
printf 'version=1.1.0\\n' >> "$CCDASH_OUTPUT"
printf 'Ready to build 1.1.0.\\n'
"""

LINT = """\
for file in README.md CHANGELOG.md docs/pages/header.html docs/pages/footer.html data/tides.csv data/warnings.csv; do
  printf 'lint %s ... ' "$file"
  if grep -n ' $' "$file"; then
    printf 'spaces at the end of a line\\n'
    exit 1
  fi
  sleep 2
  printf 'clean\\n'
done
"""

UNIT_TESTS = f"""\
mkdir -p reports
printf '<testsuite name="data" tests="8" failures="0">\\n' > reports/junit.xml
sort -c data/tides.csv || exit 1
printf 'ok tides are sorted\\n'
printf '  <testcase classname="data" name="tides are sorted"/>\\n' >> reports/junit.xml
sort -c data/warnings.csv || exit 1
printf 'ok warnings are sorted\\n'
printf '  <testcase classname="data" name="warnings are sorted"/>\\n' >> reports/junit.xml
for harbour in {HARBOURS}; do
  grep -q "^$harbour," data/harbours.csv || exit 1
  grep -q "^$harbour,.*,high," data/tides.csv || exit 1
  grep -q "^$harbour,.*,low," data/tides.csv || exit 1
  sleep 2
  printf 'ok %s has high and low water\\n' "$harbour"
  printf '  <testcase classname="tides" name="%s has high and low water"/>\\n' "$harbour" >> reports/junit.xml
done
printf '</testsuite>\\n' >> reports/junit.xml
printf 'tests=8\\n' >> "$CCDASH_OUTPUT"
"""

BUILD_PAGES = f"""\
mkdir -p site
cat docs/pages/header.html > site/index.html
printf 'Warnings\\n' >> site/index.html
cat data/warnings.csv >> site/index.html
for harbour in {HARBOURS}; do
  printf 'page: tides of %s\\n' "$harbour"
  grep "^$harbour," data/tides.csv >> site/index.html
  sleep 2
done
cat docs/pages/footer.html >> site/index.html
printf '{{"harbours": 6, "tides": ' > site/summary.json
grep -c '' data/tides.csv >> site/summary.json
printf '}}\\n' >> site/summary.json
cat site/index.html > "$CCDASH_ARTIFACTS/index.html"
printf 'page=site/index.html\\n' >> "$CCDASH_OUTPUT"
"""

RELEASE_NOTES = """\
printf '# Tidewater %s\\n\\n' "$VERSION" > RELEASE_NOTES.md
grep '^- ' CHANGELOG.md >> RELEASE_NOTES.md
printf '\\nChecked by %s tests.\\n' "$TESTS" >> RELEASE_NOTES.md
for line in 1 2 3; do
  sleep 1
  printf 'writing the notes, part %s of 3\\n' "$line"
done
cat RELEASE_NOTES.md
cat RELEASE_NOTES.md > "$CCDASH_ARTIFACTS/release-notes.md"
printf 'notes=RELEASE_NOTES.md\\n' >> "$CCDASH_OUTPUT"
"""

PUBLISH = "git push --dry-run origin HEAD:refs/heads/release"

REVIEW = """\
Read the pages that were built and say whether storm warnings are shown to whoever reads the tides of a harbour.
!think The plan asks for the warnings above the tides, so the built page is where to look.
!tool read_file {"path": "site/index.html"}
!think Lerwick and Whitby have a warning each, and both stand above the first tide.
!tool read_file {"path": "data/warnings.csv"}
!say Both warnings stand above the tides. Nothing else on the page has changed.
"""

APPROVAL = (
    "Storm warnings are checked and the pages are built. Read the page and the test report, then approve the release "
    "of version ${{ steps.look-around.outputs.version }}."
)
SUMMARY = {
    "type": "object",
    "required": ["harbours", "tides"],
    "properties": {"harbours": {"const": 6}, "tides": {"type": "integer", "minimum": 12}},
}


def make_plan(*, project: str, feature: str) -> dict[str, Any]:
    """The demo's plan in the plan format: nine steps, three of them side by side, one decision of a person."""
    return {
        "name": "Release storm warnings",
        "description": "Checks the data, builds the pages, asks for a decision and writes the release notes.",
        "project": project,
        "feature": feature,
        "timeout_seconds": 3600,
        "max_parallel": 3,
        "steps": [*_build(), *_check(), *_release()],
    }


def _build() -> list[dict[str, Any]]:
    first = ["look-around"]
    return [
        _command("look-around", "Look around", LOOK_AROUND, outputs=["version"]),
        _command("lint", "Lint", LINT, needs=first),
        _command("unit-tests", "Unit tests", UNIT_TESTS, needs=first, outputs=["tests"], artifacts=[_JUNIT]),
        _command("build-pages", "Build the pages", BUILD_PAGES, needs=first, outputs=["page"]),
    ]


def _check() -> list[dict[str, Any]]:
    checks = [
        {"kind": "expression", "name": "lint is clean", "expression": "steps.lint.exit_code == 0"},
        {"kind": "junit", "name": "no test failed", "path": "reports/junit.xml"},
        {"kind": "file", "name": "warnings are shown", "path": "site/index.html", "min_bytes": 300, "matches": "gale"},
        {"kind": "json_schema", "name": "the summary is complete", "path": "site/summary.json", "schema": SUMMARY},
    ]
    gate = {
        "key": "quality-gate",
        "name": "Quality gate",
        "type": "validation",
        "needs": ["lint", "unit-tests", "build-pages"],
        "checks": checks,
    }
    review = {
        "key": "review",
        "name": "Review of the pages",
        "type": "sdk",
        "provider": "simulated",
        "needs": ["quality-gate"],
        "prompt": REVIEW,
        "tools": ["read_file"],
        "context": ["docs/project_plans/PRDs/storm-warnings-v1.md"],
    }
    return [gate, review]


def _release() -> list[dict[str, Any]]:
    approval = {
        "key": "approve-release",
        "name": "Approve the release",
        "type": "approval",
        "needs": ["review"],
        "instructions": APPROVAL,
        "approvers": ["role:approver"],
    }
    notes = _command(
        "release-notes",
        "Release notes",
        RELEASE_NOTES,
        needs=["approve-release"],
        env={
            "VERSION": "${{ steps.look-around.outputs.version }}",
            "TESTS": "${{ steps.unit-tests.outputs.tests }}",
        },
        outputs=["notes"],
        artifacts=[{"name": "RELEASE_NOTES.md", "path": "RELEASE_NOTES.md", "kind": "report"}],
    )
    return [approval, notes, _command("publish", "Publish (dry run)", PUBLISH, needs=["release-notes"], effects="once")]


_JUNIT = {"name": "junit.xml", "path": "reports/junit.xml", "kind": "junit"}


def _command(key: str, name: str, command: str, **more: Any) -> dict[str, Any]:
    # All but the push only write files that they would write again.
    return {"key": key, "name": name, "type": "command", "command": command, "effects": "repeatable", **more}
