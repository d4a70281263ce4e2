"""The JSON API, one router for each resource; `ccdash/api.py` mounts them and turns errors into answers.

A view reads the request, calls the engine or `reading`, and answers. It decides nothing: rights, states and policy
are refused below, by name. Names and meanings here are a public promise.
"""
