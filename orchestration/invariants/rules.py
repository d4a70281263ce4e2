"""Whether the rules asked for an approval when a step started, as far as rows can prove it (for 14)."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Q

from orchestration.engine.filling import is_fixed
from orchestration.invariants.facts import RunFacts
from orchestration.invariants.history import Start
from policy.models import Project, Rule
from policy.rules import load_rules


class RuleHistory:
    """The verdict that was stored with the plan held at the start, where no rule was written in between."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[str, list[datetime]]] = {}

    def were_asking(self, facts: RunFacts, key: str, start: Start) -> bool:
        attempt = next((one for one in facts.all_attempts() if str(one.id) == start.attempt), None)
        if attempt is None or not is_fixed(facts.plan.definitions[key]):
            return False
        version, written = self._of(facts.run.project_id)
        if facts.plan.policies[key].get("rules_version") != version:
            return False
        # What a replan kept started before its plan was stored.
        first, last = sorted((facts.plan.created_at, attempt.started_at))
        return not any(first <= at <= last for at in written)

    def _of(self, project_id: int) -> tuple[str, list[datetime]]:
        if project_id not in self._known:
            project = Project.objects.get(pk=project_id)
            rows = Rule.objects.filter(Q(project_id=project_id) | Q(project=None))
            written = list(rows.values_list("created_at", flat=True))
            self._known[project_id] = (load_rules(project).version, written)
        return self._known[project_id]
