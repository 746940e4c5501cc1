"""A command of a distribution that is not installed says what to install; one that is broken says why."""

import pytest

from kernel.cli.exits import CommandError, Exit
from kernel.cli.lazy import Lazy


def test_a_missing_distribution_is_named():
    with pytest.raises(CommandError) as caught:
        Lazy("no_such_suite.cli", "group", "", dist="no-such-suite").load()
    assert caught.value.exit_code is Exit.CONFIG
    assert "pip install no-such-suite" in caught.value.one_line()


def test_a_missing_module_inside_it_is_no_missing_distribution():
    with pytest.raises(ModuleNotFoundError):
        Lazy("kernel.no_such_module", "group", "", dist="kernel").load()
