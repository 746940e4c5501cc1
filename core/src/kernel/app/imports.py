"""Imports the modules that configuration names for their tasks."""

from importlib import import_module

from kernel.errors import ImproperlyConfigured
from kernel.model.config import Config
from kernel.runtime.signal_table import import_modules


def import_task_modules(app: object, config: Config) -> None:
    """Import ``imports``, then ``include`` (features.md part 3), after the signal ``import_modules``.

    Args:
        app: the application, sender of the signal; an error of a receiver is raised, since it imports tasks, too.
        config: names the modules.

    Raises:
        ImproperlyConfigured: for a module that is not there; an error inside one is raised as it is.
    """
    for _, answer in import_modules.send(app):
        if isinstance(answer, BaseException):
            raise answer
    for setting, names in (("imports", config.imports), ("include", config.include)):
        for name in names:
            try:
                import_module(name)
            except ModuleNotFoundError as error:
                if error.name is None or not (name == error.name or name.startswith(f"{error.name}.")):
                    raise  # the module is there; one that it imports is not
                raise ImproperlyConfigured(
                    f"{setting} names the module {name!r}, and there is no module {error.name!r}.",
                    cure="Correct the name, or start where it can be imported.",
                ) from error
