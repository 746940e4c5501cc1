"""Writes docs/settings.md from the table of settings: ``python docs/generate_settings.py``."""

from collections.abc import Iterator
from pathlib import Path

from kernel.app.celery_names import CELERY_ONLY
from kernel.app.setting_table import SETTINGS, Setting

PAGE = Path(__file__).with_name("settings.md")
SECTIONS = {
    "broker_": "Broker",
    "result_": "Results",
    "task_": "Tasks",
    "beat_": "Beat",
    "worker_": "Worker",
    "event_": "Events",
    "security_": "Security",
    "": "General",
}
HEAD = """\
# Settings

*Written by `python docs/generate_settings.py` from the table in `kernel.model.config`; do not edit it by hand.*

A setting has one name everywhere. A name that is not on this page is an error that offers the nearest one.
`kernel config show --origin` prints what is in effect and where it came from, without passwords.

Sources, strongest first:

| source | spelled |
|---|---|
| command line | the options of each command |
| run-time changes | `app.conf.task_serializer = "json"`, `app.conf.update(...)` |
| constructor | `Kernel("proj", task_serializer="json")` |
| environment | `KERNEL_TASK_SERIALIZER=json` |
| configuration object | `app.config_from_object("proj.config")` |
| file | table `[kernel]` of `./kernel.toml`, else `[tool.kernel]` of `./pyproject.toml` |
| added defaults | `app.add_defaults({...})` |
| defaults | this page |

`--config` or `KERNEL_CONFIG` names another file.

In the environment, lists are written with commas or as JSON, mappings as JSON; `KERNEL_BROKER_TRANSPORT_OPTIONS__SEP=:`
sets a single key of a mapping, `KERNEL_BROKER_URL_FILE=/run/secrets/broker` reads a value from a file, and nothing or
`none` stands for None. `CELERY_BROKER_URL` and `CELERY_RESULT_BACKEND` are understood, with a notice in the log.
With `namespace="CELERY"`, a configuration object spells each setting in upper case behind `CELERY_`.

Times are seconds unless a name says otherwise. `kernel config schema` prints a JSON Schema of `kernel.toml`.
"""
TAIL = """
## Settings of Celery that have no effect here

Each is refused with the sentence on its right, so that nothing is lost silently.

| setting | what to do instead |
|---|---|
"""


def cell(value: object) -> str:
    """A value as code in a table."""
    return f"`{value!r}`".replace("|", "\\|")


def family(name: str) -> str:
    """The prefix of the section a setting belongs to."""
    return next(prefix for prefix in SECTIONS if name.startswith(prefix))


def section(prefix: str) -> Iterator[str]:
    """One table of settings."""
    yield f"\n## {SECTIONS[prefix]}\n\n| setting | default | takes | meaning |\n|---|---|---|---|\n"
    for setting in SETTINGS.values():
        if family(setting.name) == prefix:
            yield row(setting)


def row(setting: Setting) -> str:
    """One line of a table."""
    return f"| `{setting.name}` | {cell(setting.default)} | {setting.expected} | {setting.doc} |\n"


def page() -> str:
    """The whole page."""
    tables = "".join(line for prefix in ("", *filter(None, SECTIONS)) for line in section(prefix))
    refused = "".join(f"| `{name}` | {advice} |\n" for name, advice in sorted(CELERY_ONLY.items()))
    return HEAD + tables + TAIL + refused


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
