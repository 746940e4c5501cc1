"""The sources that are read late: the environment, one object, one file. Imported with the first value that is read."""

from collections.abc import Mapping
from pathlib import Path

from kernel.app.config_environment import CONFIG_VARIABLE, process_environment, read_environment
from kernel.app.config_files import find_file, read_file
from kernel.app.config_layers import Layer


class Sources:
    """Where one application's settings come from.

    Args:
        environ: the environment; None is that of the process.
        cwd: where files are looked for.
        use_files: look for a file, or read the one ``KERNEL_CONFIG`` names.
    """

    def __init__(self, environ: Mapping[str, str] | None, cwd: str, *, use_files: bool) -> None:
        self._environ = process_environment() if environ is None else environ
        self._cwd = Path(cwd)
        self._use_files = use_files

    def variable(self, name: str) -> str | None:
        """One variable of the environment."""
        return self._environ.get(name)

    def environment(self) -> Layer:
        """The settings that variables give."""
        return read_environment(self._environ)

    def file(self, named: str | None) -> Layer:
        """The settings of the file somebody named with ``--config``, else of the one that is found."""
        variable = self.variable(CONFIG_VARIABLE) if self._use_files else None
        explicit, source = (named, "--config") if named is not None else (variable, CONFIG_VARIABLE)
        if explicit is None and not self._use_files:
            return {}
        file = find_file(self._cwd, explicit, source)
        return read_file(file) if file is not None else {}
