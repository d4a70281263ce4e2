"""What is built, how, and what happened.

Direction: feature <- workflow (the plan) <- run (its execution) <- record (what is only ever added).
"""

from orchestration.models.feature import Document, Feature
from orchestration.models.record import Artifact, Command, Event, LogChunk, RunSeen
from orchestration.models.run import ExecutionRun, RunState, StepRun, StepState, WorkflowRun
from orchestration.models.workflow import Edge, Step, Workflow, WorkflowVersion

__all__ = [
    "Artifact",
    "Command",
    "Document",
    "Edge",
    "Event",
    "ExecutionRun",
    "Feature",
    "LogChunk",
    "RunSeen",
    "RunState",
    "Step",
    "StepRun",
    "StepState",
    "Workflow",
    "WorkflowRun",
    "WorkflowVersion",
]
