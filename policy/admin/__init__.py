"""Django admin for auditors and admins: facts to read, and the few things that may be changed.

Every change goes through the functions that pages and commands use, so that it is allowed and on record.
"""

from policy.admin import access, approvals, audit, people, rules

__all__ = ["access", "approvals", "audit", "people", "rules"]
