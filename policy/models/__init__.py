"""Who may do what, which rules hold, who decided, and the proof of it.

Direction: access <- rules <- approvals; audit stands alone and names its subjects by text,
so that a record outlives what it tells of.
"""

from policy.models.access import ApiToken, EnvProfile, Membership, Project, Secret
from policy.models.approvals import Approval, Decision
from policy.models.audit import AuditHead, AuditRecord
from policy.models.rules import Rule

__all__ = [
    "ApiToken",
    "Approval",
    "AuditHead",
    "AuditRecord",
    "Decision",
    "EnvProfile",
    "Membership",
    "Project",
    "Rule",
    "Secret",
]
