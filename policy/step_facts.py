"""A step, or an agent's tool call, to findings and to the facts that conditions of rules may name.

Pure. Every key is always there, so a condition never fails for want of one:
  step: key, name, type, risk, effects, provider, model, tools, secrets, env, cwd, timeout_seconds, network
  command: text, classes, programs, subcommands, reads, writes, deletes      tool: name, path
  cost: max_usd, max_tokens      project, feature, environment: text
  sandbox: none | bubblewrap | missing (wanted and not to be had)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from policy import shell
from policy.shell import Finding, LineFacts, paths
from policy.shell.environment import harmless, risky_name

STEP_CLASSES: dict[str, str] = {
    "approval_step": "Asks people to decide",
    "validation": "Checks files and values",
    "agent_simulated": "Plays an agent that reaches nobody",
    "agent_step": "Sends context to a provider",
    "agent_changes": "Lets an agent change files or run commands",
    "agent_tool_unknown": "Grants a tool that nobody knows",
    "tool_call": "An agent's tool call inside its grant",
    "tool_refused": "An agent's tool call outside its grant",
    "secrets_used": "Uses secrets of the project",
    "secrets_exposed": "Uses secrets and reaches the network, or isn't understood",
    "step_environment": "Sets variables that decide what programs do",
    "folder_outside": "Works outside the workspace",
    "network_granted": "Is given the network",
    "sandbox_missing": "Runs code where the sandbox that it needs is missing",
    "author_high": "Marked as high risk by its author",
    "author_critical": "Marked as critical by its author",
}
READING_TOOLS = frozenset({"read_file", "list_files", "search_files", "show_diff", "write_artifact"})
CHANGING_TOOLS = frozenset({"write_file", "edit_file", "run_command"})
MISSING = (
    "Runs code, and the sandbox that it has to run in does not work on this machine: "
    "install bubblewrap and allow user namespaces."
)
_EXPOSES = frozenset({"network", "remote", "unknown", "code", "push", "publish", "deploy", "container", "database"})


@dataclass(frozen=True)
class Seen:
    """What is known of a step or call before any rule is asked."""

    findings: tuple[Finding, ...]
    lines: tuple[LineFacts, ...] = ()
    text: str = ""
    tool: tuple[str, str] = ("", "")


def look_at_step(step: Mapping[str, Any], root: str) -> Seen:
    kind = str(step.get("type", ""))
    if kind == "command":
        return _command(step, root)
    if kind == "validation":
        return _validation(step, root)
    if kind == "sdk":
        return Seen(tuple(_agent(step)))
    if kind == "approval":
        return Seen((Finding("approval_step", "Asks people to decide."),))
    return Seen((Finding("unknown", f"Steps of the type {kind[:40]!r} are not known."),))


def runs_code(step: Mapping[str, Any]) -> bool:
    """Whether the step starts processes that do as its author, a repository or a model says. What is unknown does."""
    kind = step.get("type")
    if kind == "validation":
        return any(check.get("kind") == "command" for check in step.get("checks", ()))
    return "run_command" in (step.get("tools") or ()) if kind == "sdk" else kind != "approval"


def bounded(seen: Seen, step: Mapping[str, Any], sandbox: str) -> Seen:
    """The same under a boundary; without the one that is wanted, code is a finding of its own."""
    code = seen.tool[0] == "run_command" if seen.tool[0] else runs_code(step)
    if not code or sandbox != "missing":
        return seen
    return replace(seen, findings=(Finding("sandbox_missing", MISSING), *seen.findings))


def look_at_call(name: str, arguments: Mapping[str, Any], step: Mapping[str, Any], root: str) -> Seen:
    path = str(arguments.get("path", "."))
    tool = (name, path)
    if name not in (step.get("tools") or ()):
        return Seen((Finding("tool_refused", f"The step does not grant the tool {name[:60]}."),), tool=tool)
    if name == "run_command":
        line = _line(str(arguments.get("command", "")), root, "")
        return Seen(line.findings, (line,), str(arguments.get("command", "")), tool)
    if name in ("show_diff", "write_artifact"):
        return Seen((Finding("tool_call", f"Uses {name}."),), tool=tool)
    if name not in READING_TOOLS | CHANGING_TOOLS:
        return Seen((Finding("agent_tool_unknown", f"The tool {name[:60]} is not known."),), tool=tool)
    return Seen(tuple(_file_call(name, path, root)), tool=tool)


def facts_of(step: Mapping[str, Any], seen: Seen, names: Mapping[str, str]) -> dict[str, Any]:
    budget = step.get("budget") or {}
    texts = {name: str(step.get(name) or "") for name in ("key", "name", "type", "effects", "provider", "model", "cwd")}
    lists = {"tools": list(step.get("tools") or ()), "secrets": list(step.get("secrets") or ())}
    return {
        "step": {
            **texts,
            **lists,
            "risk": str(step.get("risk") or "low"),
            "env": sorted(step.get("env") or {}),
            "timeout_seconds": float(step.get("timeout_seconds") or 0),
            "network": bool(step.get("network")),
        },
        "command": _command_facts(seen),
        "tool": {"name": seen.tool[0], "path": seen.tool[1]},
        "cost": {"max_usd": float(budget.get("max_cost_usd") or 0), "max_tokens": int(budget.get("max_tokens") or 0)},
        **names,
    }


def _command_facts(seen: Seen) -> dict[str, Any]:
    commands = [command for line in seen.lines for command in line.commands]
    return {
        "text": seen.text,
        "classes": sorted({finding.kind for finding in seen.findings}),
        "programs": sorted({command.program for command in commands}),
        "subcommands": sorted(
            {f"{command.program} {command.subcommand}" for command in commands if command.subcommand}
        ),
        "reads": [path for line in seen.lines for path in line.reads],
        "writes": [path for line in seen.lines for path in line.writes],
        "deletes": [path for line in seen.lines for path in line.deletes],
    }


def _command(step: Mapping[str, Any], root: str) -> Seen:
    command, env = str(step.get("command", "")), step.get("env") or {}
    secrets = frozenset(map(str, step.get("secrets") or ()))
    folder = paths.place(str(step.get("cwd") or "."), "", root)
    cwd = "/".join(folder.parts) if folder.where == "inside" else ""
    line = _line(command, root, cwd, frozenset(env), secrets)
    findings = [*line.findings, *_author(step), *_environment(env), *_secrets(secrets, line)]
    if folder.where != "inside" or folder.git:
        findings.append(Finding("folder_outside", f"Works outside the workspace: {folder.path}."))
    return Seen((*findings, *_network(step)), (line,), command)


def _line(
    command: str,
    root: str,
    cwd: str,
    environment: frozenset[str] = frozenset(),
    granted: frozenset[str] = frozenset(),
) -> LineFacts:
    return shell.read_line(command, root=root, cwd=cwd, environment=environment, granted=granted)


def _validation(step: Mapping[str, Any], root: str) -> Seen:
    commands = [str(check.get("command", "")) for check in step.get("checks", ()) if check.get("kind") == "command"]
    files = [str(check["path"]) for check in step.get("checks", ()) if check.get("path")]
    lines = tuple(_line(command, root, "") for command in commands)
    findings = [finding for line in lines for finding in line.findings]
    for path in files:
        if paths.place(path, "", root).where != "inside":
            findings.append(Finding("folder_outside", f"Checks a file outside the workspace: {path[:200]}."))
    findings += [Finding("validation", "Checks files and values."), *_author(step), *_network(step)]
    return Seen(tuple(dict.fromkeys(findings)), lines, "\n".join(commands))


def _agent(step: Mapping[str, Any]) -> Iterable[Finding]:
    provider, tools = str(step.get("provider", "")), frozenset(map(str, step.get("tools") or ()))
    if provider == "simulated":
        yield Finding("agent_simulated", "Plays an agent; reaches no provider.")
    else:
        yield Finding("agent_step", f"Sends the prompt and what it reads to the provider {provider[:40]}.")
    if tools & CHANGING_TOOLS:
        changing = ", ".join(sorted(tools & CHANGING_TOOLS))
        yield Finding("agent_changes", f"Lets the agent change the workspace: {changing}.")
    for name in sorted(tools - CHANGING_TOOLS - READING_TOOLS):
        yield Finding("agent_tool_unknown", f"The tool {name[:60]} is not known.")
    for path in step.get("context") or ():
        if paths.place(str(path), "", "").where != "inside":
            yield Finding("folder_outside", f"Attaches a file outside the workspace: {str(path)[:200]}.")
    yield from _network(step)
    yield from _author(step)


def _author(step: Mapping[str, Any]) -> Iterable[Finding]:
    if step.get("risk") in ("high", "critical"):
        yield Finding(f"author_{step['risk']}", f"The plan's author marked this step as {step['risk']} risk.")


def _network(step: Mapping[str, Any]) -> Iterable[Finding]:
    if step.get("network"):
        yield Finding("network_granted", "Asks for the network, which a sandbox keeps from code otherwise.")


def _environment(env: Mapping[str, Any]) -> Iterable[Finding]:
    for name, value in sorted(env.items()):
        if risky_name(name) and not harmless(name, str(value)):
            yield Finding("step_environment", f"Sets {name[:60]}, which decides what programs do.")


def _secrets(secrets: frozenset[str], line: LineFacts) -> Iterable[Finding]:
    if not secrets:
        return
    names = ", ".join(sorted(secrets))
    yield Finding("secrets_used", f"Is given secrets of the project: {names[:200]}.")
    if line.classes & _EXPOSES:
        yield Finding("secrets_exposed", f"Is given secrets and may send them on: {names[:200]}.")


def _file_call(name: str, path: str, root: str) -> Iterable[Finding]:
    place = paths.place(path, "", root)
    if place.where != "inside":
        yield Finding("tool_refused", f"Reaches outside the workspace: {place.path[:200]}.")
    elif name in CHANGING_TOOLS and place.git:
        yield Finding("persistence", f"Changes the repository's git folder: {place.path}.")
    elif name in CHANGING_TOOLS and place.protected:
        yield Finding("protected_write", f"Changes settings that tools act upon: {place.path}.")
    elif name == "read_file" and (place.secret or place.git):
        yield Finding("secret_read", f"Reads a file that usually holds secrets: {place.path}.")
    elif name in CHANGING_TOOLS:
        yield Finding("write", f"Writes inside the workspace: {place.path}.")
    else:
        yield Finding("read", "Reads inside the workspace.")
