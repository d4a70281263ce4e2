"""A plan as forms: data to fields and back without loss, changes by buttons, faults at the fields they belong to.

Views call `drafts`, `faults` and `sheet`. Nothing here stores anything, and what is allowed is said elsewhere.
"""
