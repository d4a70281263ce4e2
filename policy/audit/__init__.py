"""The log that cannot be changed unnoticed.

`append` writes in the caller's transaction, so that a change and its record stand or fall together. Each record
carries the hash of the one before; `verify` walks that chain, and checkpoints signed with a key outside the database
show what was cut off or rewritten as a whole. `actions` lists what is recorded.
"""

from policy.audit.chain import GENESIS
from policy.audit.writing import AuditEntry, append, append_many

__all__ = ["GENESIS", "AuditEntry", "append", "append_many"]
