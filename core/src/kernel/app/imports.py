"""Imports the modules that configuration names for their tasks."""

from importlib import import_module

from kernel.errors import ImproperlyConfigured
from kernel.model.config import Config


def import_task_modules(config: Config) -> None:
    """Import ``imports``, then ``include`` (features.md part 3).

    Raises:
        ImproperlyConfigured: for a module that is not there; an error inside one is raised as it is.
    """
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
