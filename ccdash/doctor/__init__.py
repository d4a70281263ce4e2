"""Looks at an installation part by part: what works, what is doubtful, what is broken, and what to mend.

Called by the `doctor` command. Each check answers findings and never raises; none of them changes anything or calls
a provider unless it is asked to.
"""

from ccdash.doctor.finding import Finding
from ccdash.doctor.looking import look

__all__ = ["Finding", "look"]
