"""Prints every public name of the Celery it runs under, one module a line; run by the test beside it.

Public is what a module's ``__all__`` lists; in a module without one, the classes and functions it defines whose names
begin with no underscore.
"""

import importlib
import pkgutil
import warnings

import celery

ATTRIBUTES = {
    "Celery": "celery:Celery",
    "Task": "celery:Task",
    "Context": "celery.app.task:Context",
    "Signature": "celery.canvas:Signature",
    "AsyncResult": "celery.result:AsyncResult",
    "GroupResult": "celery.result:GroupResult",
    "Control": "celery.app.control:Control",
    "Inspect": "celery.app.control:Inspect",
    "Settings": "celery.app.utils:Settings",
    "Request": "celery.worker.request:Request",
}


def public(module):
    listed = getattr(module, "__all__", None)
    if listed is not None:
        return sorted(set(listed))
    own = (name for name, value in vars(module).items() if getattr(value, "__module__", None) == module.__name__)
    return sorted(name for name in own if not name.startswith("_") and callable(vars(module)[name]))


def names_of(module_name):
    try:
        return " ".join(public(importlib.import_module(module_name)))
    except ImportError:
        return ""  # it needs a library that is not installed


def main():
    warnings.simplefilter("ignore")
    found = [module.name for module in pkgutil.walk_packages(celery.__path__, "celery.", onerror=lambda name: None)]
    for name in sorted(["celery", *found]):
        if name != "celery.__main__":
            print(f"{name}: {names_of(name)}".strip())
    for kind, place in ATTRIBUTES.items():
        module, _, attribute = place.partition(":")
        cls = getattr(importlib.import_module(module), attribute)
        inherited = dir(dict) if issubclass(cls, dict) else ()
        own = [name for name in dir(cls) if not name.startswith("_") and name not in inherited]
        print(f"class {kind} {place}: {' '.join(own)}")


if __name__ == "__main__":
    main()
