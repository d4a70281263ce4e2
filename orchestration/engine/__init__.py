"""The engine: the only door to a change of a run's state.

A *workflow* has versions; a *run* executes one; a *step run* is a step in it; an *attempt* is one start of a step.
The story, in calls:

    planning.create_workflow  a plan becomes rows, each step with policy's verdict
    launching.launch_run      run and step runs are written; what is open at once is promoted
    starting.start_step       ready -> running: everything is looked at again, the intent is written
    (a worker performs it, outside any transaction)
    finishing.finish_attempt  the outcome becomes a state, what follows is promoted, the next step starts
    deciding.decide_approval  a person's word releases, fails or skips a step
    controlling.*             pause, resume, cancel, retry, skip, resolve
    replanning.replan_run     other steps for what has not started, or the request for that
    drift.*                   files that changed behind the run's back: blocked, accepted, looked at again
    recovering.*              whatever was left undone by a process that died

Each is one change (`door.change_run`): lock the run, refuse or move (`change`), promote and recompute (`promoting`),
write steps, events and audit, commit, and only then tell others. Lock order: run, project, audit head.
"""
