"""What the run page shows, as plain values for its templates: one module for each part of the page.

Views, sockets and the polling fallback build on the same functions, so that they can't disagree. Reads only; how many
statements a page costs does not depend on the size of the run.
"""
