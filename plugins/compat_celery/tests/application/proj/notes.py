"""Where tasks, handlers and signals write down what happened to them, for the observer to read."""

import json
import os
import time

PATH = os.environ.get("PROJ_NOTES", "notes")


def note(subject, **facts):
    with open(PATH, "a", encoding="utf-8") as file:
        file.write(json.dumps({"subject": subject, **facts}) + "\n")


def noted(subject):
    """What was noted of a subject so far, in order."""
    try:
        with open(PATH, encoding="utf-8") as file:
            lines = [json.loads(line) for line in file if line.endswith("}\n")]
    except FileNotFoundError:
        return []
    return [
        {key: value for key, value in line.items() if key != "subject"} for line in lines if line["subject"] == subject
    ]


def wait_for(subject, count=1, seconds=30.0):
    """The same, once there is that much of it, or the time is over."""
    deadline = time.monotonic() + seconds
    while len(noted(subject)) < count and time.monotonic() < deadline:
        time.sleep(0.05)
    return noted(subject)
