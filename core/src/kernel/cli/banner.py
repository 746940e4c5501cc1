"""What a worker says of itself before it starts (features.md 1.29): everything it will use, secrets masked."""

import platform
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import click

from kernel.app.builtin_tasks import BUILT_IN
from kernel.app.executors import where_is
from kernel.app.kernel import Kernel
from kernel.app.worker import Worker
from kernel.engine.topology import quarantine_spec
from kernel.errors import ImproperlyConfigured
from kernel.model.masking import mask_text

LABEL = 12
MOST = 40


def banner(worker: Worker, *, color: bool) -> str:
    """Several lines of text.

    Args:
        worker: what is about to start.
        color: whether the reader's terminal shows colours.
    """
    head = f"kernel {version('kernel')}  {worker.hostname}"
    where = f"Python {platform.python_version()}, {platform.system()} {platform.release()}"
    lines = [f"{click.style(head, bold=True) if color else head}  ({where})", ""]
    lines += [row(label, value, color=color) for label, value in _facts(worker)]
    names = sorted(name for name in worker.app.tasks if name not in BUILT_IN)
    lines.append(row("tasks", str(len(names)), color=color))
    lines += [f"{'':{LABEL}}  {name}" for name in names[:MOST]]
    if len(names) > MOST:
        lines.append(f"{'':{LABEL}}  … and {len(names) - MOST} more")
    return "\n".join([*lines, ""])


def shown_url(url: str) -> str:
    """A URL for people: without passwords, and with the place of a file in full."""
    scheme, separator, path = url.partition(":///")
    if scheme == "sqlite" and separator and not path.startswith("/"):
        file, mark, query = path.partition("?")
        url = f"sqlite:///{Path(file).absolute()}{mark}{query}"
    return mask_text(url, secret=True)


def _facts(worker: Worker) -> Iterator[tuple[str, str]]:
    config, services = worker.config, worker.services
    yield "app", app_name(worker.app)
    yield "broker", shown_url(services.broker_url)
    yield "results", shown_url(services.backend_url) if services.backend_url else "disabled (set result_backend)"
    yield "pool", f"{config.worker_pool}, {worker.scale or worker.concurrency} at a time"
    events = "on" if config.worker_send_task_events else "off (-E sends them)"
    yield "task events", events
    if worker.beat:
        yield "beat", f"in this node, {config.beat_scheduler}"
    yield "queues", ", ".join(worker.queues)
    yield "quarantine", quarantine_spec(config).name
    yield "plugins", ", ".join(plugin.name for plugin in services.plugins.loaded)


def app_name(app: Kernel) -> str:
    """An application for people: its name, and where it stands."""
    try:
        path = ":".join(where_is(app))
    except ImproperlyConfigured:  # of a script, or made of configuration alone
        return app.main or "without a name"
    return f"{app.main or path}  ({path})"


def row(label: str, value: str, *, color: bool) -> str:
    """One fact."""
    padded = f"{label:>{LABEL}}"
    return f"{click.style(padded, fg='cyan') if color else padded}  {value}"
