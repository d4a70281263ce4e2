"""The rules that come with the product: what each class of action means for a run, from the freest to the strictest.

The reader of commands says what happens (policy.shell.CLASSES), policy.step_facts says it of steps; here stands
whether it may. Projects add rules of their own as rows; these hold everywhere.
"""

from __future__ import annotations

from policy.ruleset import Rule, RuleSet


def _allow(name: str, risk: str, why: str, *classes: str) -> Rule:
    return Rule(name, why, "allow", risk, frozenset(classes))


def _ask(name: str, risk: str, why: str, *classes: str) -> Rule:
    return Rule(name, why, "require_approval", risk, frozenset(classes))


def _elevate(name: str, why: str, *classes: str) -> Rule:
    return Rule(name, why, "require_elevated_approval", "critical", frozenset(classes))


def _deny(name: str, why: str, *classes: str) -> Rule:
    return Rule(name, why, "deny", "critical", frozenset(classes))


SHIPPED = RuleSet(
    (
        # A gate that cries wolf gets clicked through: everyday work is free.
        _allow(
            "everyday", "low", "Reading, printing and the step's own outputs are free.",
            "compute", "read", "scratch",
        ),
        _allow("checks", "low", "Tests, linters and builds of the project are free.", "check"),
        _allow(
            "workspace-changes", "medium", "Changes in the run's own workspace stay there to be reviewed.",
            "write", "commit",
        ),
        _allow("decisions", "low", "An approval step asks by itself.", "approval_step"),
        _allow("validation", "low", "Checks of files and values only look.", "validation"),
        _allow("simulated-agent", "low", "A simulated agent reaches nobody.", "agent_simulated"),
        _allow(
            "agents", "medium", "An agent's tool calls are judged one by one.",
            "agent_step", "agent_changes", "tool_call",
        ),
        _allow("secrets", "medium", "A step may use the secrets it names.", "secrets_used"),
        # Not known to be safe, or felt beyond the workspace: people look first.
        _ask("not-understood", "high", "What can't be understood doesn't run unseen.", "unknown", "code"),
        _ask("deletions", "medium", "Deleted files may not come back.", "delete"),
        _ask("protected-files", "high", "Tools act upon these files by themselves.", "protected_write"),
        _ask(
            "secrets-at-hand", "high", "Secrets don't belong in outputs.",
            "secret_read", "secret_variable", "environment_read",
        ),
        _ask(
            "secrets-may-leave", "high", "A step with secrets reaches the network or isn't understood.",
            "secrets_exposed",
        ),
        _ask("environment", "high", "These variables decide what programs do.", "environment", "step_environment"),
        _ask("outside-the-workspace", "high", "Runs stay in their workspace.", "read_outside", "write_outside"),
        _ask("network", "high", "What leaves can't be called back.", "network", "network_granted"),
        _ask("installs", "high", "Installed software runs its own code.", "install"),
        _ask("push", "high", "Others see what is pushed.", "push"),
        _ask("branches", "medium", "Moves what the run works on.", "tree"),
        _ask("permissions", "medium", "Permissions decide who may run or read.", "permission"),
        _ask("processes", "medium", "May end what others need.", "process"),
        _ask("unknown-tools", "high", "Nobody has said what this tool does.", "agent_tool_unknown"),
        _ask("author-says-high", "high", "The plan's author marked the step as risky.", "author_high"),
        # Critical, and now and then right: people look twice.
        _elevate("history", "Lost history is hard to get back.", "history"),
        _elevate("publishing", "What is published stays published.", "publish"),
        _elevate("deployments", "Changes what others use.", "deploy", "container", "remote", "database"),
        _elevate("deletions-outside", "Deletes what no run owns.", "delete_outside"),
        _elevate("author-says-critical", "The plan's author marked the step as critical.", "author_critical"),
        # Nothing that a run in a workspace needs.
        _deny("not-bash", "Only valid bash runs.", "invalid", "oversized"),
        _deny("nothing-hidden", "What people approve is what runs.", "hidden"),
        _deny(
            "no-destruction", "No run may destroy the system, a home or its whole workspace.",
            "destroy", "device", "exhaustion",
        ),
        _deny("no-privileges", "Runs keep the rights they have.", "privilege"),
        _deny(
            "no-credentials", "Credentials of the machine and its people are out of reach.",
            "credentials", "exfiltration",
        ),
        _deny("no-remote-code", "Code from the network is looked at first.", "remote_code", "reverse_shell"),
        _deny("no-persistence", "Nothing stays behind to run later.", "persistence", "system_write"),
        _deny("no-foreign-processes", "A run ends its own processes only.", "foreign_process"),
        _deny("no-silence", "Recording stays on.", "audit"),
        _deny("no-agents-in-the-dark", "Agents are steps of a plan, under its gates.", "agent"),
        _deny(
            "sandboxed-or-not-at-all", "Where a sandbox is required, code runs in it or not at all.",
            "sandbox_missing",
        ),
        _deny("inside-the-workspace", "A step works inside its workspace.", "folder_outside"),
        _deny("tools-as-granted", "An agent uses the tools it was granted.", "tool_refused"),
    )
)  # fmt: skip
