"""Keeps secrets out of what is stored: a stream of bytes goes in, the same stream with `[redacted:NAME]` comes out.

Values are found raw, percent-encoded, in base64 at each of its three alignments, in hex and JSON-escaped, each of
them also broken over lines or cut by the borders of chunks. `spellings` says what is looked for, `plain` in what.
"""

from policy.redaction.spellings import SHORTEST, is_found
from policy.redaction.streaming import Redactor, redact_data, redact_text

__all__ = ["SHORTEST", "Redactor", "is_found", "redact_data", "redact_text"]
