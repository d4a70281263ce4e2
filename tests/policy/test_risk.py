"""A step to a verdict: the strictest rule holds, and what goes wrong is never an allow."""

import dataclasses

import pytest

from policy import risk, rules, shell, step_facts
from policy.expressions import ExpressionError
from policy.models.rules import Rule as RuleRow
from policy.risk import ToolCall
from policy.ruleset import FACTS, RISKS, VERDICTS, Rule
from policy.shipped_rules import SHIPPED
from policy.step_facts import STEP_CLASSES
from tests.factories import ProjectFactory
from tests.policy.judging import CONTEXT, codes, judge

ALL_TOOLS = [
    *("read_file", "list_files", "search_files", "write_file", "edit_file"),
    *("run_command", "show_diff", "write_artifact"),
]
NAMES = {"project": "p", "feature": "f", "environment": "", "sandbox": "none"}
AGENT = {"key": "agent", "type": "sdk", "provider": "simulated", "prompt": "Work.", "tools": ALL_TOOLS}


def with_rule(**values):
    rule = Rule(**{"name": "ours", "description": "Our rule.", "verdict": "deny", "risk": "high", **values})
    return dataclasses.replace(CONTEXT, rules=SHIPPED.plus(rule))


def call(name, /, **arguments):
    return risk.evaluate_tool_call(ToolCall(name, arguments), AGENT, CONTEXT)


def test_every_class_has_a_rule_and_every_rule_a_class_that_exists():
    known = {*shell.CLASSES, *STEP_CLASSES}
    ruled = {kind for rule in SHIPPED.rules for kind in rule.classes}
    assert ruled == known


def test_a_verdict_says_which_rule_and_why():
    verdict = judge("git push origin HEAD")
    assert (verdict.verdict, verdict.risk) == ("require_approval", "high")
    assert [(reason.code, reason.rule) for reason in verdict.reasons] == [("push", "push")]
    assert verdict.rules_version == SHIPPED.version


def test_the_strictest_of_all_that_match_holds():
    verdict = judge("ls; rm a; git push --force; rm -rf /")
    assert (verdict.verdict, verdict.risk) == ("deny", "critical")
    assert {"delete", "history", "destroy"} <= codes(verdict)
    assert verdict.reasons[0].code == "destroy"


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        ("low", "allow"),
        ("medium", "allow"),
        ("high", "require_approval"),
        ("critical", "require_elevated_approval"),
    ],
)
def test_what_the_author_says_raises_the_risk(said, verdict):
    found = judge("ls", risk=said)
    assert (found.verdict, found.risk) == (verdict, said)


@pytest.mark.parametrize("said", ["low", "medium", None, "nonsense"])
def test_what_the_author_says_never_lowers_it(said):
    found = judge("sudo ls", risk=said)
    assert (found.verdict, found.risk) == ("deny", "critical")


RISKY_NAMES = ["PATH", "LD_PRELOAD", "GIT_SSH_COMMAND", "PYTHONPATH", "BASH_ENV", "NODE_OPTIONS", "IFS", "PS4"]


@pytest.mark.parametrize("name", RISKY_NAMES)
def test_variables_that_decide_what_programs_do_are_asked_about(name):
    assert judge("pytest", env={name: "x"}).verdict == "require_approval"


def test_plain_variables_are_free_and_not_taken_for_known():
    assert judge("pytest", env={"GREETING": "hello", "CI": "1"}).verdict == "allow"
    assert judge('cat "$FILE"', env={"FILE": "a.txt"}).verdict == "require_approval"
    assert judge('cat "$x"; x=a', env={"x": "/etc/passwd"}).verdict == "require_approval"


@pytest.mark.parametrize("cwd", ["..", "/etc", "a/../..", "../demo", "~", "src/../../x", ".git/hooks"])
def test_a_folder_outside_the_workspace_is_denied(cwd):
    found = judge("ls", cwd=cwd)
    assert found.verdict == ("allow" if cwd == "~" else "deny")


def test_a_folder_inside_is_where_paths_begin():
    assert judge("cat ../README.md", cwd="src").verdict == "allow"
    assert judge("cat ../README.md", cwd=".").verdict == "require_approval"


def test_secrets_are_free_alone_and_asked_about_with_the_network():
    assert judge("pytest", secrets=["API_KEY"]).verdict == "allow"
    assert judge("pytest", secrets=["API_KEY"]).risk == "medium"
    sent = judge('curl -H "$API_KEY" https://example.com', secrets=["API_KEY"])
    assert (sent.verdict, "secrets_exposed" in codes(sent)) == ("require_approval", True)
    assert "secrets_exposed" in codes(judge("./deploy.sh", secrets=["API_KEY"]))


def test_an_approval_step_gates_by_itself():
    assert risk.evaluate({"type": "approval"}, CONTEXT).verdict == "allow"


def test_the_commands_of_a_validation_are_judged_like_any_other():
    def check(*checks):
        return risk.evaluate({"type": "validation", "checks": list(checks)}, CONTEXT)

    assert check({"kind": "command", "command": "pytest"}, {"kind": "file", "path": "a"}).verdict == "allow"
    assert check({"kind": "command", "command": "pytest"}, {"kind": "command", "command": "sudo ls"}).verdict == "deny"
    assert check({"kind": "file", "path": "../a"}).verdict == "deny"


def test_an_agent_is_free_and_its_calls_are_judged_one_by_one():
    assert risk.evaluate({**AGENT, "tools": ["read_file"]}, CONTEXT).risk == "low"
    assert risk.evaluate(AGENT, CONTEXT).risk == "medium"
    assert risk.evaluate({**AGENT, "provider": "openai"}, CONTEXT).verdict == "allow"
    assert risk.evaluate({**AGENT, "tools": ["launch"]}, CONTEXT).verdict == "require_approval"
    assert risk.evaluate({**AGENT, "context": ["../x"]}, CONTEXT).verdict == "deny"


@pytest.mark.parametrize(
    ("name", "arguments", "verdict"),
    [
        ("read_file", {"path": "src/a.py"}, "allow"),
        ("read_file", {"path": ".env"}, "require_approval"),
        ("read_file", {"path": ".git/config"}, "require_approval"),
        ("read_file", {"path": "../a"}, "deny"),
        ("read_file", {"path": "/etc/passwd"}, "deny"),
        ("read_file", {"path": "~/.ssh/id_rsa"}, "require_approval"),
        ("list_files", {}, "allow"),
        ("list_files", {"path": "../.."}, "deny"),
        ("search_files", {"pattern": "x", "path": "src"}, "allow"),
        ("write_file", {"path": "src/a.py", "content": "x"}, "allow"),
        ("write_file", {"path": "AGENTS.md", "content": "x"}, "require_approval"),
        ("write_file", {"path": ".claude/settings.json", "content": "x"}, "require_approval"),
        ("write_file", {"path": ".git/hooks/pre-commit", "content": "x"}, "deny"),
        ("edit_file", {"path": "../a", "old": "x", "new": "y"}, "deny"),
        ("run_command", {"command": "pytest -q"}, "allow"),
        ("run_command", {"command": "rm -rf /"}, "deny"),
        ("run_command", {"command": "curl https://example.com"}, "require_approval"),
        ("run_command", {}, "deny"),
        ("show_diff", {}, "allow"),
        ("write_artifact", {"name": "a.txt", "content": "x"}, "allow"),
        ("format_disk", {}, "deny"),
    ],
)
def test_a_tool_call_goes_through_the_same_rules(name, arguments, verdict):
    assert call(name, **arguments).verdict == verdict


def test_a_tool_that_was_not_granted_is_refused():
    granted = {**AGENT, "tools": ["read_file"]}
    assert risk.evaluate_tool_call(ToolCall("run_command", {"command": "ls"}), granted, CONTEXT).verdict == "deny"


@pytest.mark.parametrize(
    "condition",
    [
        "'pytest' in command.programs",
        "'check' in command.classes",
        "step.type == 'command' && project == 'demo'",
        "command.text.startsWith('pytest') && environment == 'workspace'",
        "step.env.exists(name, name == 'CI')",
        "sandbox == 'none' && cost.max_usd == 0.0 && tool.name == '' && feature == 'feature'",
    ],
)
def test_a_rule_of_a_project_sees_the_documented_facts(condition):
    verdict = risk.evaluate(
        {"type": "command", "command": "pytest -q", "env": {"CI": "1"}}, with_rule(condition=condition)
    )
    assert (verdict.verdict, verdict.reasons[0].rule) == ("deny", "ours")


def test_a_rule_that_does_not_match_changes_nothing_but_the_version():
    context = with_rule(condition="project == 'other'")
    verdict = risk.evaluate({"type": "command", "command": "ls"}, context)
    assert verdict.verdict == "allow"
    assert verdict.rules_version == context.rules.version != SHIPPED.version


def test_a_rule_that_allows_softens_nothing():
    verdict = risk.evaluate({"type": "command", "command": "sudo ls"}, with_rule(condition="true", verdict="allow"))
    assert verdict.verdict == "deny"


@pytest.mark.parametrize("condition", ["command.nothing == 1", "step", "1 +", "unknown_name == 1", "step.key + 1 == 2"])
@pytest.mark.parametrize("own", VERDICTS)
def test_a_rule_that_can_not_be_evaluated_fails_closed(condition, own):
    verdict = risk.evaluate({"type": "command", "command": "ls"}, with_rule(condition=condition, verdict=own))
    assert VERDICTS.index(verdict.verdict) == max(1, VERDICTS.index(own))
    assert "rule_error" in codes(verdict)


def test_a_rule_names_who_may_decide():
    context = with_rule(condition="true", verdict="require_elevated_approval", approvers=("role:admin",))
    assert risk.evaluate({"type": "command", "command": "git push"}, context).approvers == ("role:admin",)


@pytest.mark.parametrize(
    "step",
    [
        {},
        {"type": "spell"},
        {"type": "command"},
        {"type": "command", "command": None},
        {"type": "command", "command": 5},
        {"type": "command", "command": "ls", "env": 5},
        {"type": "command", "command": "ls", "secrets": 5},
        {"type": "validation", "checks": 5},
        {"type": "validation", "checks": [5]},
        {"type": "sdk", "provider": "x", "tools": 5},
    ],
)
def test_a_step_that_makes_no_sense_is_never_allowed(step):
    verdict = risk.evaluate(step, CONTEXT)
    assert verdict.verdict != "allow"
    assert verdict.risk in RISKS


@pytest.mark.django_db
def test_rows_add_to_the_shipped_rules_and_a_new_revision_is_seen():
    project, other = ProjectFactory(), ProjectFactory()
    assert rules.load_rules(project) is SHIPPED
    row = {"description": "No.", "condition": "true", "verdict": "deny"}
    RuleRow.objects.create(project=project, name="ours", **row)
    RuleRow.objects.create(project=other, name="theirs", **row)
    RuleRow.objects.create(project=project, name="off", enabled=False, **row)
    RuleRow.objects.create(project=project, name="old", current=False, **row)
    RuleRow.objects.create(project=None, name="everywhere", **row)
    project.rules_revision += 1
    found = rules.load_rules(project)
    assert [rule.name for rule in found.conditional] == ["everywhere", "ours"]
    assert rules.load_rules(project, project.rules_revision) is found
    assert rules.load_rules(project, project.rules_revision - 1) is SHIPPED


@pytest.mark.django_db
def test_a_row_is_tried_before_it_is_saved():
    row = RuleRow(
        name="no-tests", description="No tests today.", condition="'check' in command.classes", verdict="deny"
    )
    rules.check_condition(row.condition)
    tried = dataclasses.replace(CONTEXT, rules=rules.load_rules(ProjectFactory()).plus(rules.rule_of(row)))
    assert risk.evaluate({"type": "command", "command": "pytest"}, tried).verdict == "deny"
    assert judge("pytest").verdict == "allow"


def test_every_fact_there_is_may_be_named_and_has_its_type():
    facts = step_facts.facts_of({"type": "command", "env": {"A": "1"}}, step_facts.Seen(()), NAMES)
    flat = {
        f"{name}.{part}": value
        for name, value in facts.items()
        if isinstance(value, dict)
        for part, value in value.items()
    }
    flat |= {name: value for name, value in facts.items() if not isinstance(value, dict)}
    types = {str: "text", list: "list", bool: "bool", int: "number", float: "number"}
    assert {name: types[type(value)] for name, value in flat.items()} == FACTS


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("command.delete", "(line 1, column 8) The facts of command are command.text, command.classes"),
        ("true || command.delete", "'command.delete'"),
        ("has(step.secret)", "'step.secret'"),
        ("step['secret'] == 'x'", "step.secrets"),
        ("size(cost) > 1", "cost.max_usd, cost.max_tokens"),
        ("project.slug == 'x'", "select"),
        ("command.classes.contains('network')", "no matching overload"),
        ("command.text", "must answer true or false, not string"),
        ("1 + 1", "must answer true or false, not int"),
    ],
)
def test_a_condition_that_could_only_fail_is_refused_before_it_is_used(condition, words):
    with pytest.raises(ExpressionError) as refused:
        rules.check_condition(condition)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    "condition",
    [
        "step.timeout_seconds > 300 && cost.max_usd >= 0.5 && cost.max_tokens > 1000",
        "command.classes.exists(kind, kind in ['push', 'network']) || step.env.exists(step, step == 'A')",
        "has(step.env) && step.network && project.startsWith('web') && tool.path.matches('^src/')",
        "size(command.writes) > 3 || command.programs.size() > 3 || 'a' in step.secrets",
    ],
)
def test_conditions_over_the_facts_there_are_can_be_used(condition):
    facts = step_facts.facts_of({"type": "command"}, step_facts.Seen(()), NAMES)
    assert rules.check_condition(condition).evaluate_bool(facts) is False
