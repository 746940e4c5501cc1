"""Where the two are known to differ, and why it stays so."""

from typing import Any, NamedTuple


class Difference(NamedTuple):
    """One observation that is not the same.

    Attributes:
        celery: what is seen with Celery.
        kernel: what is seen with ours.
        why: the reason.
    """

    celery: Any
    kernel: Any
    why: str


HANDLED_RETRY = [
    {"handler": "after_return", "status": "SUCCESS"},
    {"args": [], "handler": "before_start", "kwargs": []},
    {"args": [], "handler": "before_start", "kwargs": []},
    {"einfo": True, "exc": "ValueError", "handler": "on_retry"},
    {"handler": "on_success", "retval": "done"},
]
DIFFERENCES: dict[tuple[str, str], Difference] = {
    ("1.19", "retry"): Difference(
        HANDLED_RETRY,
        [{"handler": "after_return", "status": "RETRY"}, *HANDLED_RETRY],
        "after_return is called at the end of every run, that of a run that will be repeated included, with its status",
    ),
    ("1.21", "utc"): Difference(
        [None, None], [True, True], "times of messages are in UTC, and a request says so whatever the protocol"
    ),
    ("1.26", "repr"): Difference(
        [
            "proj.tasks.add(2, 5)",
            "proj.tasks.add(2, 2)",
            "proj.tasks.add(4, 4) | mul(8)",
            "group([proj.tasks.add(1, 1), add(2, 2)])",
        ],
        [
            "proj.tasks.add(2, 5)",
            "proj.tasks.add(2, 2)",
            "proj.tasks.add(4, 4) | proj.tasks.mul(8)",
            "group([proj.tasks.add(1, 1), proj.tasks.add(2, 2)])",
        ],
        "every step is shown by its whole name, as two modules may have tasks of the same short one",
    ),
}
UNSTEADY: dict[tuple[str, str], Difference] = {
    ("1.24", "early runs"): Difference(
        (1, 2),
        1,
        "when a child dies at once, Celery's word that the task was begun may die with it, and it runs again;"
        " ours is acknowledged before it begins",
    ),
}
"""What is not the same every time with Celery: all that was seen; with ours it is."""
