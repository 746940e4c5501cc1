"""Loggers for tasks and for the code that calls them (features.md 1.22)."""

import logging

_TASKS = "kernel.task"
_RESERVED = frozenset({"kernel", _TASKS})


def get_logger(name: str) -> logging.Logger:
    """The logger of that name; as :func:`logging.getLogger`, under the name that callers know."""
    return logging.getLogger(name)


def get_task_logger(name: str) -> logging.Logger:
    """A logger whose lines carry the name and id of the task that writes them.

    It keeps its name and becomes a child of ``kernel.task``, whose handler the worker sets up with
    ``worker_task_log_format``. Best made once, at the top of a module: ``logger = get_task_logger(__name__)``.

    Raises:
        ValueError: for the name of a logger of the kernel itself.
    """
    if name in _RESERVED:
        raise ValueError(f"get_task_logger({name!r}): that logger is the kernel's own; use get_task_logger(__name__)")
    logger, tasks = logging.getLogger(name), logging.getLogger(_TASKS)
    if not _descends(logger, tasks):
        logger.parent = tasks
    return logger


def _descends(logger: logging.Logger, ancestor: logging.Logger) -> bool:
    parent = logger.parent
    while parent is not None and parent is not ancestor:
        parent = parent.parent
    return parent is ancestor


__all__ = ["get_logger", "get_task_logger"]
