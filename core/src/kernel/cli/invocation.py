"""What was said before the command: which app, which settings, which folder."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from kernel.app.kernel import Kernel
from kernel.app.settings import Settings
from kernel.cli.find_app import Finder, import_from
from kernel.errors import KernelError
from kernel.runtime.plugins import call_hook, load_plugins


@dataclass(slots=True)
class Invocation:
    """The global options of one run of the ``kernel`` program; commands get it with ``@click.pass_obj``.

    Attributes:
        app_path: what ``-A`` says, or the environment's ``KERNEL_APP``.
        settings_given: settings given on the command line, by name; the strongest of all sources.
        config_source: what ``--config`` says: a TOML file or a module.
        workdir: the folder to change to.
        color: False when colours are off, None to let the terminal decide.
        quiet: no banner and no chatter.
        started_in: the folder where the program was started.
        given_app: an app that runs the program itself (``app.start()``); ``-A`` is stronger.
    """

    app_path: str | None = None
    settings_given: dict[str, Any] = field(default_factory=dict)
    config_source: str | None = None
    workdir: Path | None = None
    color: bool | None = None
    quiet: bool = False
    started_in: Path = field(default_factory=Path.cwd)
    given_app: Kernel | None = None
    _added: click.Group | None = field(default=None, init=False, repr=False)

    @classmethod
    def of(cls, options: Mapping[str, Any], environment: Mapping[str, str]) -> "Invocation":
        """From parsed global options; those that click has not come to yet may be missing."""
        given = {"broker_url": options.get("broker"), "result_backend": options.get("result_backend")}
        plain = bool(options.get("no_color") or environment.get("NO_COLOR"))
        return cls(
            app_path=options.get("app_path") or environment.get("KERNEL_APP") or None,
            settings_given={name: value for name, value in given.items() if value is not None},
            config_source=options.get("config_source"),
            workdir=options.get("workdir"),
            color=False if plain else None,
            quiet=bool(options.get("quiet")),
        )

    def enter_workdir(self) -> None:
        """Change to the working directory and make its modules importable."""
        if self.workdir is not None:
            os.chdir(self.workdir)
        import_from(Path.cwd())

    def app(self) -> Kernel:
        """The app of ``-A``, with what the command line says as its strongest settings.

        Without ``-A`` it is one without tasks of its own, made of configuration alone (``kernel.toml``, environment).

        Raises:
            CommandError: when the app cannot be found.
        """
        app = self.given_app
        if self.app_path is not None:
            app = Finder(Kernel).find(self.app_path)
        elif app is None:
            app = Kernel("default")
        self.configure(app.conf)
        return app

    @contextmanager
    def opened(self) -> Iterator[Kernel]:
        """The app for the time of one command; its connections are closed afterwards."""
        app = self.app()
        try:
            yield app
        finally:
            app.close()

    def settings(self) -> Settings:
        """The settings in effect, sources and all; an app is imported only when there is one (``-A``)."""
        if self.app_path is not None or self.given_app is not None:
            return self.app().conf
        return self.configure(Settings())

    def configure(self, settings: Settings) -> Settings:
        """Put what the command line says into `settings`, as their strongest source."""
        settings.use_command_line(self.settings_given)
        source = self.config_source
        if source is not None and (source.endswith(".toml") or Path(source).is_file()):
            settings.use_file(source)
        elif source is not None:
            settings.config_from_object(source)
        return settings

    def plugin_commands(self) -> Mapping[str, click.Command]:
        """Commands that configured plugins add (hook ``kernel_commands``), asked for once.

        A plugin that cannot be loaded is told on the error stream and adds nothing: it must not keep any other
        command from working.
        """
        if self._added is None:
            self._added = click.Group()
            with _told():
                config = self.settings().snapshot()
                for name in config.plugins:
                    with _told():
                        plugins = load_plugins([name], disabled=config.disable_plugins)
                        call_hook(plugins, "kernel_commands", group=self._added)
        return self._added.commands


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except KernelError as error:
        click.echo(f"kernel: commands of plugins are missing: {error.one_line()}", err=True)
