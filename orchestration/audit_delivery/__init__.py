"""Takes signed checkpoints to where the owner of the database can't reach: a webhook, a git remote.

The worker calls `deliver` from a loop of its own, never inside a transaction. What has not arrived yet is derived from
what is there: receipts of the webhook, the branch of the remote. Nothing is ever replaced at the other end.
"""

from orchestration.audit_delivery.delivering import Standing, deliver, standings

__all__ = ["Standing", "deliver", "standings"]
