"""What is, told to people and programs: rows as plain data in the contract's words. Changes nothing.

API, pages and commands build on the same functions, so that they can't disagree. `finding` looks up what an actor may
see, the others turn rows into data; each with a fixed number of statements, however large the run.
"""
