"""An application of Celery runs unchanged: ``python -m plugin_compat_celery`` answers to the name ``celery``."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]
READY_S = 30.0


@pytest.fixture
def worker(project: Path, environment: dict[str, str]) -> Iterator[Path]:
    """A worker of the application; the file of its log."""
    log = project / "worker.log"
    words = ["-A", "proj", "worker", "-linfo", "-Ofair", "-Q", "hipri,celery", "--without-gossip", "-c", "1"]
    words += ["-P", "processes", "--pool-start-method", "spawn"]
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "plugin_compat_celery", *words],
            cwd=project,
            env=environment,
            stdout=file,
            stderr=file,
        )
    try:
        wait_for(log, "ready.")
        yield log
    finally:
        process.terminate()
        assert process.wait(30) == 0


def wait_for(log: Path, text: str) -> None:
    end = time.monotonic() + READY_S
    while text not in log.read_text():
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.1)


CLIENT = """
from celery import chain
from proj.tasks import add, multiply
print(chain(add.s(1, 2), multiply.s(4)).delay().get(timeout=60))
"""


def test_an_application_runs_unchanged_in_processes_that_are_spawned(worker: Path, project: Path, run: Run) -> None:
    (project / "client.py").write_text(CLIENT)
    done = run("client.py")
    assert (done.returncode, done.stdout) == (0, "12\n"), done.stderr + worker.read_text()
    sent = run("-A", "proj", "call", "proj.tasks.add", "-a", "[2, 3]")
    assert sent.returncode == 0, sent.stderr
    wait_for(worker, f"Task proj.tasks.add[{sent.stdout.strip()}] succeeded")
    assert "proj.tasks.add[" in worker.read_text()
    shown = run("-A", "proj", "result", sent.stdout.strip())
    assert shown.stdout.strip() == "5"


def test_a_module_runs_with_the_name(run: Run, project: Path) -> None:
    (project / "which.py").write_text("import celery, sys; print(celery.Celery.__module__, sys.argv[1:])")
    done = run("-m", "which", "-x", "1")
    assert done.stdout == "plugin_compat_celery.app.base ['-x', '1']\n", done.stderr


def test_the_version_is_the_one_whose_names_these_are(run: Run) -> None:
    assert run("--version", APP="proj").stdout.startswith("5.7.0 (kernel ")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-A", "proj", "worker", "-P", "gevent"], "Pool 'gevent': kernel has no green threads."),
        (["-A", "proj", "list", "bindings"], "celery list has no counterpart in kernel."),
        (["-A", "proj", "graph", "bootsteps"], "celery graph has no counterpart in kernel."),
        (["worker", "-A", "proj"], "-A is a global option and stands before the command: celery -A ... worker"),
        (["-A", "proj", "worker", "-O"], "Option -O needs a value."),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(run: Run, words: list[str], said: str) -> None:
    done = run(*words)
    assert done.returncode in {64, 78}
    assert done.stderr.startswith("celery: error: ")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_what_has_no_effect_is_said(run: Run) -> None:
    done = run("-A", "proj", "worker", "--prefetch-multiplier=1", "--no-such-option")
    assert "celery: --prefetch-multiplier has no effect: a node reserves only what free slots take" in done.stderr


def test_a_celery_that_was_imported_before_is_an_error(project: Path, environment: dict[str, str]) -> None:
    (project / "celery.py").write_text("")
    program = "import celery, sys; from plugin_compat_celery.adapter.start import main; sys.exit(main(['--version']))"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=project, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 78
    assert done.stderr.startswith("celery: error: The real Celery is imported already")


def test_a_celery_that_is_installed_too_is_not_used_and_that_is_said(project: Path, run: Run) -> None:
    (project / "elsewhere/celery").mkdir(parents=True)
    (project / "elsewhere/celery/__init__.py").write_text("raise RuntimeError('the real one')")
    done = run("-A", "proj", "call", "proj.tasks.add", "-a", "[1, 1]", PYTHONPATH=str(project / "elsewhere"))
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("celery: the Celery that is installed here is not used")


OPTIONS = """
from celery import Celery
from celery.signals import user_preload_options
from click import Option

app = Celery("proj", broker="sqlite:///jobs.sqlite3")
app.user_options["preload"].add(Option(["-Z", "--template"], default="default", help="Its template."))
app.user_options["call"].add(Option(["--loud"], is_flag=True))


@user_preload_options.connect
def told(options, app, **kwargs):
    print("told", sorted(options.items()), app.main)
"""


def test_an_application_adds_options_to_commands(run: Run, project: Path) -> None:
    (project / "proj/celery.py").write_text(OPTIONS)
    done = run("-A", "proj", "call", "proj.add", "-Z", "green", "--loud")
    assert done.stdout.startswith("told [('loud', True), ('template', 'green')] proj\n"), done.stderr
    done = run("-A", "proj", "purge", "-f")
    assert done.stdout.startswith("told [('template', 'default')] proj\n"), done.stderr
    assert "Its template." in run("-A", "proj", "status", "--help").stdout
    assert run("-A", "proj", "purge", "-f", "--loud").returncode == 64


def test_several_nodes_are_started_and_stopped(run: Run, project: Path) -> None:
    files = ["--pidfile=%n.pid", "--logfile=%n.log"]
    options = ["-A", "proj", "-l", "INFO", "-Ofair", "-P", "solo", *files]
    started = run("multi", "start", "w1", *options)
    try:
        assert started.returncode == 0, started.stdout + started.stderr
        assert "w1@" in started.stdout
        wait_for(project / "w1.log", "ready.")
        arguments = Path(f"/proc/{(project / 'w1.pid').read_text().strip()}/cmdline").read_bytes().split(b"\0")
        assert b"plugin_compat_celery" in arguments
    finally:
        stopped = run("multi", "stopwait", "w1", *options)
    assert stopped.returncode == 0, stopped.stdout + stopped.stderr
    assert not (project / "w1.pid").exists()


def test_the_prompt_knows_tasks_of_included_modules(project: Path, environment: dict[str, str]) -> None:
    words = [sys.executable, "-m", "plugin_compat_celery", "-q", "-A", "proj", "shell", "--python"]
    typed = "print(add.name, multiply(2, 3), app.main)\n"
    done = subprocess.run(
        words, cwd=project, env=environment, input=typed, capture_output=True, text=True, check=False, timeout=60
    )
    assert "proj.tasks.add 6 proj" in done.stdout, done.stderr


def test_variables_of_the_environment_stand_for_options(run: Run) -> None:
    sent = run("call", "proj.tasks.add", "-a", "[1, 2]", APP="proj")
    assert len(sent.stdout.strip()) == 36, sent.stderr
    assert "nonsense" in run("call", "proj.tasks.add", APP="proj", CELERY_CALL_SERIALIZER="nonsense").stderr
    assert "elsewhere" in run("-A", "proj", "report", BROKER_URL="memory://elsewhere").stdout
    assert "memory://here" in run("-A", "proj", "-b", "memory://here", "report", BROKER_URL="memory://elsewhere").stdout
