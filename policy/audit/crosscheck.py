"""Finds state that no record tells of: rights and decisions that came in past the product, and missing guards.

`see` is handed to `verify` and watches the records go by; `unexplained` then looks at the tables.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.db import connection

from policy.audit.reading import Record
from policy.members import subject_of
from policy.models import ApiToken, Decision, Membership

GUARDED = ("policy_auditrecord", "policy_audithead", "policy_decision")
SQLITE_GUARDS = "SELECT tbl_name, COUNT(*) FROM sqlite_master WHERE type = 'trigger' GROUP BY tbl_name"
POSTGRESQL_GUARDS = (
    "SELECT c.relname, COUNT(*) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid "
    "WHERE NOT t.tgisinternal AND t.tgenabled IN ('O', 'A') GROUP BY c.relname"
)
GUARDS = {"sqlite": 3, "postgresql": 2}


class CrossCheck:
    def __init__(self) -> None:
        self.decided: set[tuple[str, str, str]] = set()
        self.roles: dict[str, str] = {}
        self.tokens: dict[str, bool] = {}

    def see(self, record: Record) -> None:
        action, after = record["action"], record["after"]
        if action in ("approval.approve", "approval.reject"):
            self.decided.add((str(after.get("approval")), record["actor_id"], record["payload_digest"]))
        elif action.startswith("member."):
            self.roles[record["subject"]] = str(after.get("role", ""))
        elif action == "token.created":
            self.tokens[record["subject"]] = bool(after.get("may_approve"))

    def unexplained(self) -> Iterator[str]:
        yield from self._guards()
        yield from self._decisions()
        yield from self._memberships()
        yield from self._tokens()

    def _decisions(self) -> Iterator[str]:
        rows = Decision.objects.values_list("pk", "approval_id", "user_id", "digest")
        for pk, approval, user, digest in rows.iterator():
            if (str(approval), str(user), digest) not in self.decided:
                yield f"Decision {pk} on approval {approval} has no record."

    def _memberships(self) -> Iterator[str]:
        for membership in Membership.objects.select_related("user", "project").iterator():
            if self.roles.get(subject_of(membership)) != membership.role:
                yield f"{membership.user.username} is {membership.role} in {membership.project.slug} without a record."

    def _tokens(self) -> Iterator[str]:
        for token in ApiToken.objects.filter(revoked_at=None).iterator():
            if self.tokens.get(f"token:{token.prefix}") != token.may_approve:
                yield f"Token {token.prefix} was issued or widened without a record."

    def _guards(self) -> Iterator[str]:
        with connection.cursor() as cursor:
            cursor.execute(SQLITE_GUARDS if connection.vendor == "sqlite" else POSTGRESQL_GUARDS)
            found = dict(cursor.fetchall())
        for table in GUARDED:
            if found.get(table, 0) < GUARDS[connection.vendor]:
                yield f"The database no longer refuses changes to {table}: its triggers are missing."
