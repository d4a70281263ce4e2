"""reject_step RUN STEP: decide what waits for a decision."""

from orchestration.management.deciding import Decide


class Command(Decide):
    help = (
        "Reject what a step waits for, as the person named. What is decided is printed, with its digest; --digest "
        "makes sure that it is what you looked at. An elevated decision needs a sign-in within the last 15 minutes.\n\n"
        "Example: manage.py reject_step website#12 deploy --user grace --reason 'I read the diff.'"
    )
    decision = "reject"
    done = "Rejected step {step}."
