"""The program itself: help, errors as one line with an exit code, lazy commands."""

import subprocess
import sys

import click
import pytest

from kernel.cli.exits import CommandError, Exit, exit_code, one_line, report
from kernel.cli.lazy import Lazy, LazyGroup
from kernel.cli.main import COMMANDS, main
from kernel.errors import (
    Code,
    DriverError,
    EncodeError,
    ImproperlyConfigured,
    KernelError,
    NotRegistered,
    OperationalError,
    PluginError,
)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "kernel", *arguments], capture_output=True, text=True, check=False)


def test_python_dash_m_shows_every_command() -> None:
    shown = run("--help")
    assert shown.returncode == 0
    assert shown.stderr == ""
    for name, entry in COMMANDS.items():
        assert f"  {name} " in shown.stdout
        assert entry.help in shown.stdout


def test_help_imports_no_command() -> None:
    probe = (
        "import sys; from kernel.cli.main import main; main(['--help'])\n"
        "own = {'exits', 'find_app', 'invocation', 'lazy', 'main', 'output'}\n"
        "loaded = {name.split('.')[2] for name in sys.modules if name.startswith('kernel.cli.')}\n"
        "assert loaded <= own, loaded - own\n"
    )
    shown = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stderr


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("kernel 20")


def test_no_command_shows_help_and_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == Exit.USAGE
    assert "Commands:" in capsys.readouterr().err


def test_an_unknown_command_offers_near_names(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reslt"]) == Exit.USAGE
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith("kernel: error: ")
    assert "Did you mean 'result'?" in error


def test_an_unknown_option_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--brokr", "x", "worker"]) == Exit.USAGE
    assert capsys.readouterr().err.count("\n") == 1


def test_a_missing_folder_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--workdir", "no/such/folder", "report"]) == Exit.USAGE
    assert "no/such/folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (CommandError(Exit.NO_INPUT, "x"), 66),
        (ImproperlyConfigured("x"), 78),
        (PluginError("E101", "x"), 78),
        (OperationalError("x"), 69),
        (DriverError(Code.AUTH, "x"), 78),
        (DriverError(Code.EXHAUSTED, "x"), 75),
        (DriverError(Code.TOO_LARGE, "x"), 65),
        (DriverError(Code.INTERNAL, "x"), 70),
        (NotRegistered("x"), 64),
        (EncodeError("x"), 65),
        (KernelError("x"), 70),
        (click.UsageError("x"), 64),
        (click.exceptions.Abort(), 130),
        (KeyboardInterrupt(), 130),
        (RuntimeError("x"), 70),
    ],
)
def test_exit_codes(error: BaseException, code: int) -> None:
    assert exit_code(error) == code


def test_an_error_and_its_cure_stand_on_one_line() -> None:
    assert one_line(ImproperlyConfigured("bad\nthing 'x'.", cure="Write 'y'.")) == "bad thing 'x'. Write 'y'."


def test_a_defect_says_that_it_is_one() -> None:
    assert one_line(RuntimeError("boom\nbang")) == "RuntimeError: boom bang (a defect: KERNEL_DEBUG=1 shows where)"


def test_the_traceback_needs_debug(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("KERNEL_DEBUG", raising=False)
    report(KernelError("quiet"))
    assert capsys.readouterr().err == "kernel: error: quiet\n"
    monkeypatch.setenv("KERNEL_DEBUG", "1")
    report(KernelError("loud"))
    assert "KernelError: loud" in capsys.readouterr().err


@pytest.fixture
def group() -> LazyGroup:
    table = {
        "good": Lazy("kernel.cli.main", "program", "A command that works."),
        "broken": Lazy("no_such_module_xyz", "command", "A command that does not."),
    }
    return LazyGroup(
        name="kernel", lazy=table, extra=lambda _ctx: {"added": click.Command("added", help="By a plugin.")}
    )


def test_a_broken_command_breaks_only_itself(group: LazyGroup) -> None:
    ctx = click.Context(group, info_name="kernel")
    page = group.get_help(ctx)
    assert "A command that does not." in page
    assert "By a plugin." in page
    assert group.get_command(ctx, "good") is not None
    with pytest.raises(ModuleNotFoundError):
        group.get_command(ctx, "broken")


def test_a_plugin_cannot_shadow_a_command() -> None:
    table = {"good": Lazy("kernel.cli.main", "program", "Ours.")}
    group = LazyGroup(name="kernel", lazy=table, extra=lambda _ctx: {"good": click.Command("good")})
    assert group.get_command(click.Context(group), "good") is Lazy("kernel.cli.main", "program", "").load()


def test_a_global_option_after_the_command_is_explained() -> None:
    command = click.Command("worker")
    ctx = click.Context(command, info_name="worker", parent=click.Context(click.Group("kernel"), info_name="kernel"))
    error = click.NoSuchOption("-A", ctx=ctx)
    assert "stands before the command: kernel -A ... worker" in one_line(error)
