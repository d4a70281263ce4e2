"""Which fields a plan, a step of each type, a check of each kind and an input have; in the order of the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orchestration.executors.tools import TOOLS
from orchestration.providers import PROVIDERS
from workbench.builder.kinds import NOTHING_NEEDED

RISKS = (("", "as policy finds it"), ("low", "low"), ("medium", "medium"), ("high", "high"), ("critical", "critical"))


@dataclass(frozen=True)
class Field:
    """`name` is the place in the data; a dot leads into an object. `options`: what a select or a list offers."""

    name: str
    label: str
    kind: str = "text"
    span: str = ""
    needed: bool = False
    folded: bool = False
    default: bool = False  # of a flag: what leaving it out means
    hint: str = ""
    options: Sequence[tuple[str, str]] = ()
    placeholder: str = ""
    more: str = ""  # of a list to pick from: the label of a box for what it doesn't offer

    @property
    def slug(self) -> str:
        return self.name.replace(".", "_")


def _effects(default: str) -> Field:
    words = (
        ("", f"as usual ({default})"),
        ("none", "none: it only reads"),
        ("repeatable", "repeatable"),
        ("once", "once"),
    )
    hint = "May it be done again by itself when its worker was lost?"
    return Field("effects", "Effects", "choice", "third", folded=True, options=words, hint=hint)


NAME = Field("name", "Name", span="half")
KEY = Field(
    "key", "Key", "code", "third", hint="Other steps name it by this. Made from the name where left out.", folded=True
)
NEEDS = Field(
    "needs", "Needs", "needs", "half",
    hint=f"Keys of earlier steps. Where no step names any, the list is the order; {NOTHING_NEEDED} starts at once.",
)  # fmt: skip
WHEN = Field(
    "when",
    "Only when",
    "code",
    folded=True,
    placeholder="steps.tests.exit_code == 0",
    hint="An expression; false skips the step.",
)
RISK = Field("risk", "Risk, at least", "choice", "third", folded=True, options=RISKS)
TIMEOUT = Field("timeout_seconds", "Timeout in seconds", "number", "third", folded=True)
RETRY = (
    Field("retry.max_attempts", "Attempts at most", "number", "third", folded=True),
    Field("retry.backoff_seconds", "Wait before the next, in seconds", "number", "third", folded=True),
    Field("retry.backoff_factor", "Each wait longer by factor", "number", "third", folded=True),
)
GO_ON = Field("continue_on_error", "Go on when it fails", "flag", folded=True)
ARTIFACTS = Field(
    "artifacts", "Artifacts to keep", "artifacts", folded=True, placeholder="reports/junit.xml | test report | junit"
)
NETWORK = Field(
    "network", "Its code reaches the network", "flag", folded=True,
    hint="Out of the sandbox, where there is one. Policy asks for an approval.",
)  # fmt: skip
OUTPUTS = Field("outputs", "Outputs it promises", "words", "half", folded=True, placeholder="version")
TOOL_WORDS = tuple(
    (tool.name, f"{'Changes things' if tool.effects else 'Only reads'}. {tool.description}") for tool in TOOLS.values()
)
PROMPT = Field(
    "prompt", "Task", "long", needed=True, hint="${{ inputs.NAME }} and ${{ steps.KEY.outputs.NAME }} are filled in."
)
PROVIDER = Field(
    "provider", "Provider", "choice", "third", needed=True, options=tuple((name, name) for name in PROVIDERS)
)
REJECTED = (("", "the step fails"), ("skip", "the step is skipped"))
EXPIRED = (("", "it stays blocked"), ("fail", "the step fails"))
ON_REJECT = Field("on_reject", "When rejected", "choice", "third", folded=True, options=REJECTED)
ON_EXPIRE = Field("on_expire", "When expired", "choice", "third", folded=True, options=EXPIRED)
WORKING = (WHEN, TIMEOUT, *RETRY, RISK)

PLAN = (
    Field("name", "Name", needed=True),
    Field("description", "Description", "long"),
    Field("timeout_seconds", "Timeout of a run, in seconds", "number", "third", folded=True),
    Field("max_parallel", "Steps at the same time, at most", "number", "third", folded=True),
    Field("budget.max_cost_usd", "Budget of a run, in US dollars", "number", "third", folded=True),
    Field("budget.max_tokens", "Budget of a run, in tokens", "number", "third", folded=True),
    Field("env", "Environment of all commands", "pairs", folded=True, placeholder="CI=1"),
)
INPUT = (
    Field("name", "Name", "code", "third", needed=True, placeholder="version"),
    Field(
        "type", "Type", "choice", "third", options=(("string", "text"), ("number", "number"), ("boolean", "yes or no")),
    ),
    Field("default", "Default", "default", "third"),
    Field("description", "Description", span="half"),
    Field("required", "Must be given at launch", "flag", "half"),
)  # fmt: skip
STEPS: dict[str, tuple[Field, ...]] = {
    "command": (
        NAME, NEEDS,
        Field("command", "Command", "script", needed=True, placeholder="make test"),
        KEY, *WORKING, _effects("once"), GO_ON, NETWORK,
        Field("cwd", "Folder", "code", "half", folded=True, placeholder="."),
        Field("secrets", "Secrets", "words", "half", folded=True, placeholder="NPM_TOKEN"),
        Field("env", "Environment", "pairs", folded=True),
        Field("env_profile", "Environment profile", "code", "half", folded=True),
        OUTPUTS, ARTIFACTS,
    ),
    "sdk": (
        NAME, NEEDS,
        PROMPT, PROVIDER,
        Field("model", "Model", "code", "third"),
        Field("max_turns", "Turns at most", "number", "third"),
        Field("tools", "Tools", "picked", hint="Each call is judged by the rules like a command.", options=TOOL_WORDS),
        Field(
            "context", "Documents to attach", "picked", more="Other files, one on each line",
            hint="Whole while there is room, in this order; what is cut is said.",
        ),
        Field("budget.max_cost_usd", "Budget in US dollars", "number", "third"),
        Field("budget.max_tokens", "Budget in tokens", "number", "third"),
        Field("max_output_tokens", "Output tokens at most", "number", "third"),
        KEY, *WORKING, _effects("repeatable"), GO_ON, NETWORK,
        Field("system", "System prompt", "long", folded=True),
        Field("output_schema", "Shape of its answer", "json", folded=True),
        OUTPUTS, ARTIFACTS,
    ),
    "approval": (
        NAME, NEEDS,
        Field("instructions", "What to look at", "long"),
        Field("approvers", "Who may decide", "words", "half", placeholder="role:approver, user:grace, group:leads"),
        Field("quorum", "How many people", "number", "half", placeholder="1"),
        KEY, WHEN, RISK,
        Field("expires_after_seconds", "Expires after, in seconds", "number", "third", folded=True),
        ON_REJECT, ON_EXPIRE,
    ),
    "validation": (NAME, NEEDS, KEY, *WORKING, _effects("repeatable"), GO_ON, NETWORK, ARTIFACTS),
}  # fmt: skip
CHECK_NAME = Field("name", "Name", span="half")
CHECK_REQUIRED = Field("required", "Must pass", "flag", "half", default=True)
CHECKS: dict[str, tuple[Field, ...]] = {
    "command": (Field("command", "Command", "script", needed=True),),
    "file": (
        Field("path", "Path", "code", "half", needed=True),
        Field("min_bytes", "Bytes at least", "number", "half"),
        Field("matches", "Its text matches", "code", "half", hint="A regular expression."),
        Field("exists", "Must exist", "flag", "half", default=True),
    ),
    "json_schema": (
        Field("path", "Path", "code", "half", hint="A JSON file, or else an output."),
        Field("output", "Output", "code", "half", placeholder="steps.build.outputs.manifest"),
        Field("schema", "Schema", "json", needed=True),
    ),
    "expression": (Field("expression", "Expression", "code", needed=True, placeholder="steps.tests.exit_code == 0"),),
    "junit": (
        Field("path", "Path", "code", "half", needed=True),
        Field("max_failures", "Failures at most", "number", "half"),
    ),
}  # fmt: skip
CHECK_LABELS = {
    "command": "Command", "file": "File", "json_schema": "JSON schema", "expression": "Expression",
    "junit": "Test report",
}  # fmt: skip


def fields_of_check(kind: str) -> tuple[Field, ...]:
    return (*CHECKS[kind], CHECK_NAME, CHECK_REQUIRED)
