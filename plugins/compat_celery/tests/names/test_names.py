"""Every public name of Celery 5.7.0 is here, or knowingly not, with the reason; none is missing by oversight.

``celery-5.7.0.txt`` is what ``list_names.py`` printed under the real one; tests/interop prints it again.
"""

import importlib
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from kernel.contracts.broker import Delivery, Outgoing
from kernel.engine.admit import Run
from kernel.runtime.ledger import Entry
from kernel.runtime.request import Request
from plugin_compat_celery import Celery, Signature, Task
from plugin_compat_celery.adapter.absent_attributes import ATTRIBUTES
from plugin_compat_celery.adapter.absent_modules import MODULES
from plugin_compat_celery.adapter.absent_names import NAMES
from plugin_compat_celery.adapter.alias import PACKAGE

LINES = Path(__file__).with_name("celery-5.7.0.txt").read_text().splitlines()
TABLE = {
    name: names.split() for line in LINES if not line.startswith("class ") for name, _, names in [line.partition(":")]
}
CLASSES: Mapping[str, tuple[str, list[str]]] = {
    head.split()[1]: (head.split()[2], names.split())
    for line in LINES
    if line.startswith("class ")
    for head, _, names in [line.partition(": ")]
}


def module_of(name: str) -> ModuleType:
    return importlib.import_module(PACKAGE + name.removeprefix("celery"))


@pytest.mark.parametrize("name", TABLE)
def test_every_name_of_a_module_is_here_or_knowingly_not(name: str) -> None:
    if name in MODULES:
        with pytest.raises(ModuleNotFoundError):
            module_of(name)
        return
    module = module_of(name)
    absent = {each for each in TABLE[name] if not hasattr(module, each)}
    excused = {place.partition(":")[2] for place in NAMES if place.partition(":")[0] == name}
    assert absent - excused == set(), "names that are missing without a reason"
    assert excused - absent == set(), "names that are excused although they are here, or are none of Celery's"


def test_reasons_are_given_for_modules_of_celery_only() -> None:
    assert set(MODULES) <= set(TABLE)
    assert {place.partition(":")[0] for place in NAMES} <= set(TABLE) - set(MODULES)


@pytest.fixture(scope="module")
def things() -> Mapping[str, Any]:
    app = Celery("names", broker="memory://", backend="memory://", set_as_current=False)

    @app.task
    def add() -> None: ...

    options: Any = add.task_options
    entry = Entry(1, Delivery(Outgoing("celery", b"", {}, "id"), None), {}, Run("add", "id"), options)
    found = {name: importlib.import_module(PACKAGE + place.partition(":")[0].removeprefix("celery"))
             for name, (place, _) in CLASSES.items()}  # fmt: skip
    made: dict[str, Any] = {name: getattr(found[name], CLASSES[name][0].partition(":")[2]) for name in CLASSES}
    instances = {
        "Celery": app,
        "Task": add,
        "Context": add.request,
        "Signature": add.s(),
        "AsyncResult": app.AsyncResult("id"),
        "GroupResult": app.GroupResult("id", []),
        "Control": app.control,
        "Inspect": app.control.inspect(),
        "Settings": app.conf,
        "Request": Request(add, entry, "w1@here"),
    }
    return {**made, **instances}


@pytest.mark.parametrize("kind", CLASSES)
def test_every_attribute_of_a_class_is_here_or_knowingly_not(kind: str, things: Mapping[str, Any]) -> None:
    thing = things[kind]
    absent = set(CLASSES[kind][1]) - set(dir(thing)) - (set(thing) if kind == "Settings" else set())
    excused = {place.partition(".")[2] for place in ATTRIBUTES if place.partition(".")[0] == kind}
    assert absent - excused == set(), "attributes that are missing without a reason"
    assert excused - absent == set(), "attributes that are excused although they are here, or are none of Celery's"


def test_the_reason_is_said_at_the_import() -> None:
    with pytest.raises(ImportError, match=r"celery\.bootsteps.*a worker of kernel has no bootsteps"):
        run_import("import celery.bootsteps")
    with pytest.raises(AttributeError, match=r"AppPickler.*an application is not pickled"):
        module_of("celery.app").AppPickler  # noqa: B018 - it is the access that tells


def run_import(statement: str) -> None:
    """Runs it where ``celery`` means this package; its ImportError, as raised there."""
    program = f"import plugin_compat_celery.adapter.installed\n{statement}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1]
        assert last.startswith(("ImportError", "ModuleNotFoundError")), done.stderr
        raise ImportError(last)


SAME = """
import importlib, sys
import plugin_compat_celery.adapter.installed
for name in sys.argv[1:]:
    theirs, ours = importlib.import_module(name), importlib.import_module("plugin_compat_" + name)
    assert theirs is ours, name
    assert ours.__spec__.name == ours.__name__, name
    parent, _, last = name.rpartition(".")
    assert not parent or getattr(sys.modules[parent], last, ours) is ours or last == "celery", name
from celery import Celery, Task
from celery.app.base import Celery as Same
from plugin_compat_celery import Celery as Ours
assert Celery is Same is Ours
print("the same")
"""


def test_every_module_is_one_object_under_both_names() -> None:
    there = [name for name in TABLE if name not in MODULES and not name.startswith("celery.contrib.pytest")]
    done = subprocess.run([sys.executable, "-c", SAME, *there], capture_output=True, text=True, check=False)
    assert done.stdout == "the same\n", done.stderr


def test_classes_are_the_kernels() -> None:
    assert Task.__module__ == "kernel.app.task"
    assert Signature.__module__ == "kernel.app.signature"
