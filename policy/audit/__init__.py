"""The log that cannot be changed unnoticed.

`append` writes in the caller's transaction, so that a change and its record stand or fall together. Each record
carries the hash of the one before; `verify` walks that chain. Checkpoints, signed with a key outside the database,
show what was cut off or rewritten as a whole. `crosscheck` looks for state that no record tells of.
"""

from policy.audit.chain import GENESIS
from policy.audit.checkpoints import files as checkpoint_files
from policy.audit.checkpoints import write_checkpoint, write_checkpoint_if_due
from policy.audit.exports import export_audit
from policy.audit.keys import public_key_file
from policy.audit.reading import Head
from policy.audit.verifying import VerifyResult, verify, verify_range, verify_tail
from policy.audit.writing import AuditEntry, append, append_many

__all__ = [
    "GENESIS",
    "AuditEntry",
    "Head",
    "VerifyResult",
    "append",
    "append_many",
    "checkpoint_files",
    "export_audit",
    "public_key_file",
    "verify",
    "verify_range",
    "verify_tail",
    "write_checkpoint",
    "write_checkpoint_if_due",
]
