"""Names of the common document's members (wire.md 10.1)."""

import json

JSON = "application/json"
UTF8 = "utf-8"
EXTENDED = ("name", "args", "kwargs", "worker", "retries", "queue")
"""They stand in a document together, with ``result_extended``."""
TEXTS = ("traceback", "date_done", "group_id", "parent_id", "name", "worker", "queue")
ABSENT = {"children": ("null", "[]"), "args": ("null",), "kwargs": ("null",)}
"""A record has these as JSON text, and None for what stands here: Celery writes the list for a task that called none,
and null where it does not know."""
VALUES = tuple(ABSENT)
STAMPS = "stamped_headers"
"""Names the stamps, each of which is a member of its own."""
BESIDE = "kernel"
"""Holds what the other members cannot carry exactly."""
TAKEN = frozenset({"status", "result", "retries", "task_id", STAMPS, BESIDE, *TEXTS, *VALUES})
"""No stamp of such a name can be a member."""

dumps = json.JSONEncoder(check_circular=False).encode
"""JSON as kombu spaces it."""
