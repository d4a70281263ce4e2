"""A report as Markdown, and as a page made of that. Every value is foreign text: escaped, never markup. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from markdown_it import MarkdownIt

MARKS = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~&:@^=\"'$])")
LINES = re.compile(r"\s*[\r\n\u2028\u2029]+\s*")
HIDDEN = re.compile("[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
Told = Mapping[str, Any]


def as_html(report: Told) -> str:
    """A whole page without script and style of its own."""
    title = escape(f"Report of run #{report['run']['number']} of {report['run']['project']}")
    body = MarkdownIt("commonmark", {"html": False, "linkify": False}).enable("table").render(as_markdown(report))
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{title}</title>\n</head>\n'
        f"<body>\n<main>\n{body}</main>\n</body>\n</html>\n"
    )


def as_markdown(report: Told) -> str:
    writers = (
        _head, _plans, _steps, _decisions, _retries, _skips, _checks, _artifacts, _commits, _usage_by_model,
        _redactions, _actions, _audit,
    )  # fmt: skip
    parts = [write(report) for write in writers]
    return "\n".join(line for part in parts for line in part) + "\n"


def _head(report: Told) -> Iterator[str]:
    run = report["run"]
    yield f"# Run [#{run['number']}]({run['link']}) of {_text(run['project'])}: {_text(run['workflow']['name'])}"
    yield ""
    yield from _table(
        ["", ""],
        [
            ["Purpose", run["purpose"] or "The plan does not say."],
            ["State", _joined(run["state"], run["state_reason"])],
            ["Feature", run["feature"]],
            ["Plan", f"version {run['workflow']['version']}, digest {run['workflow']['digest']}"],
            ["Launched", _joined(f"by {run['created_by']}", run["created_at"])],
            ["Ran", f"{run['started_at'] or 'not yet'} to {run['finished_at'] or 'now'}"],
            ["Inputs", _json(run["inputs"])],
            [
                "Workspace",
                _joined(run["workspace"]["kind"], run["workspace"]["branch"], run["workspace"]["base_commit"]),
            ],
            ["Usage", _usage(run["usage"])],
        ],
    )


def _plans(report: Told) -> Iterator[str]:
    """More than one where the run was replanned."""
    yield "## Plan versions"
    yield ""
    yield from _table(
        ["Version", "At", "By", "Why", "Digest"],
        [[p["version"], p["at"], p["by"], p["reason"] or "launched", p["digest"]] for p in report["plan_versions"]],
    )


def _retries(report: Told) -> Iterator[str]:
    if report["retries"]:
        yield "## Retries"
        yield ""
    rows = [[r["at"], r["step_key"], "the plan" if r["automatic"] else r["by"], r["reason"]] for r in report["retries"]]
    yield from _table(["At", "Step", "By", "Why"], rows)


def _skips(report: Told) -> Iterator[str]:
    if report["skips"]:
        yield "## Skips"
        yield ""
    names = ("at", "step_key", "what", "by", "reason", "evidence")
    yield from _table(
        ["At", "Step", "What", "By", "Why", "Evidence"], [[skip[name] for name in names] for skip in report["skips"]]
    )


def _checks(report: Told) -> Iterator[str]:
    found = [
        [step["key"], attempt["number"], check["name"], "passed" if check["passed"] else "failed", check["message"]]
        for step in report["steps"]
        for attempt in step["attempts"]
        for check in attempt["checks"]
    ]
    if found:
        yield "## Checks"
        yield ""
    yield from _table(["Step", "Attempt", "Check", "Result", "What it found"], found)


def _commits(report: Told) -> Iterator[str]:
    yield "## Commits"
    yield ""
    stat, where = report["diff_stat"], report["run"]["workspace"]
    if not report["commits"]:
        yield "No step changed a file that git knows.\n"
        return
    yield (
        f"On {_text(where['branch'])}, from {_text(where['base_commit'])} to {_text(where['commit'])}: "
        f"{stat['files']} files, {stat['insertions']} lines in, {stat['deletions']} out."
    )
    yield ""
    names = ("commit", "message", "attempt", "files", "insertions", "deletions")
    yield from _table(
        ["Commit", "Message", "Attempt", "Files", "Lines in", "Lines out"],
        [[commit[name] for name in names] for commit in report["commits"]],
    )


def _usage_by_model(report: Told) -> Iterator[str]:
    if report["usage_by_model"]:
        yield "## Tokens and cost"
        yield ""
    yield from _table(
        ["Provider", "Model", "Attempts", "Usage"],
        [[one["provider"], one["model"], one["attempts"], _usage(one)] for one in report["usage_by_model"]],
    )


def _redactions(report: Told) -> Iterator[str]:
    yield "## Redactions"
    yield ""
    if not report["redactions"]:
        yield "No secret was found in what this run said.\n"
    yield from _table(["Secret", "Times"], [[one["name"], one["count"]] for one in report["redactions"]])


def _steps(report: Told) -> Iterator[str]:
    for title, steps in (("Steps", report["steps"]), ("Replaced steps", report["superseded_steps"])):
        if steps:
            yield f"## {title}"
            yield ""
        for step in steps:
            yield from _step(step)


def _step(step: Told) -> Iterator[str]:
    yield f"### {step['index'] + 1}. [{_text(step['name'])}]({step['link']})"
    yield ""
    yield f"{_text(step['type'])}, {_text(_joined(step['state'], step['state_reason']))}, risk {_text(step['risk'])}"
    yield ""
    reasons = [*step["policy"]["reasons"], *([{"message": step["error"], "rule": "error"}] if step["error"] else [])]
    yield from (f"- {_text(reason['message'])} ({_text(reason['rule'])})" for reason in reasons)
    if step["outputs"]:
        yield f"- outputs: {_text(_json(step['outputs']))}"
    yield ""
    yield from _table(
        ["Attempt", "Outcome", "Started", "Finished", "Exit", "Agent", "Usage", "Checks"],
        [_attempt(attempt) for attempt in step["attempts"]],
    )


def _attempt(attempt: Told) -> list[Any]:
    checks = [f"{check['name']}: {'passed' if check['passed'] else 'failed'}" for check in attempt["checks"]]
    return [
        attempt["number"],
        _joined(attempt["outcome"], attempt["reason"], attempt["error"]),
        attempt["started_at"],
        attempt["finished_at"] or "",
        "" if attempt["exit_code"] is None else attempt["exit_code"],
        _joined(attempt["provider"], attempt["model"]),
        _usage(attempt["usage"]) if attempt["provider"] else "",
        "; ".join(checks),
    ]


def _decisions(report: Told) -> Iterator[str]:
    yield "## Decisions"
    yield ""
    if not report["decisions"]:
        yield "None was asked.\n"
    names = ("at", "by", "decision", "step_key", "kind", "reason", "digest")
    yield from _table(
        ["At", "By", "Decision", "Step", "Kind", "Reason", "Digest"],
        [[decision[name] for name in names] for decision in report["decisions"]],
    )


def _artifacts(report: Told) -> Iterator[str]:
    yield "## Artifacts"
    yield ""
    if not report["artifacts"]:
        yield "None were left.\n"
    names = ("name", "kind", "step_key", "attempt", "size", "sha256", "commit")
    yield from _table(
        ["Name", "Kind", "Step", "Attempt", "Bytes", "SHA-256", "Commit", "Lineage"],
        [[*(artifact[name] for name in names), _lineage(artifact["lineage"])] for artifact in report["artifacts"]],
    )


def _lineage(lineage: Told) -> str:
    return ", ".join(f"{name} {value}" for name, value in sorted(lineage.items()) if value not in (None, "", False))


def _actions(report: Told) -> Iterator[str]:
    yield "## On the record"
    yield ""
    names = ("sequence_no", "at", "type", "step_key", "actor", "audit_sequence")
    yield from _table(
        ["Event", "At", "What", "Step", "Who", "Audit record"],
        [[action[name] or "" for name in names] for action in report["actions"]],
    )


def _audit(report: Told) -> Iterator[str]:
    audit, events = report["audit"], report["events"]
    yield f"Events {events['first']} to {events['last']}."
    if audit["records"]:
        yield (
            f"Audit records {audit['first']} to {audit['last']} ({audit['records']} of this run); "
            f"the last one's hash is `{audit['last_hash']}`. Chain: {_text(audit['chain'])}."
        )


def _table(head: list[str], rows: list[list[Any]]) -> Iterator[str]:
    if not rows:
        return
    yield f"| {' | '.join(head)} |"
    yield f"|{' --- |' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(_text(str(cell)) for cell in row)} |"
    yield ""


def _text(value: str) -> str:
    """Foreign text on one line, with nothing in it that Markdown, HTML or a terminal would obey."""
    visible = HIDDEN.sub("\ufffd", LINES.sub(" ⏎ ", value.strip()))
    return MARKS.sub(r"\\\1", visible)


def _joined(*parts: str) -> str:
    return ", ".join(part for part in parts if part)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _usage(found: Told) -> str:
    cost = "cost unknown" if found["cost_usd"] is None else f"${found['cost_usd']:.6f}"
    return f"{found['input_tokens']} tokens in, {found['output_tokens']} out, {cost}"
