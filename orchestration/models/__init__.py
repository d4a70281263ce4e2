"""What is built, how, and what happened.

Direction: feature <- workflow (the plan) <- run (its execution) <- attempt (one start of a step)
<- record and provider (what is only ever added).
"""

from orchestration.models.attempt import ExecutionRun
from orchestration.models.feature import Document, Feature
from orchestration.models.provider import BudgetLedger, ProviderSettings
from orchestration.models.record import Artifact, Command, Event, LogChunk, RunSeen
from orchestration.models.run import RunState, StepRun, StepState, WorkflowRun
from orchestration.models.workflow import Edge, Step, Workflow, WorkflowVersion

__all__ = [
    "Artifact",
    "BudgetLedger",
    "Command",
    "Document",
    "Edge",
    "Event",
    "ExecutionRun",
    "Feature",
    "LogChunk",
    "ProviderSettings",
    "RunSeen",
    "RunState",
    "Step",
    "StepRun",
    "StepState",
    "Workflow",
    "WorkflowRun",
    "WorkflowVersion",
]
