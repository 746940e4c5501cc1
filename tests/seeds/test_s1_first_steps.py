"""S1, a learner's notes: "First Steps" and "Next Steps". Which block is which test:

===================================================  =======================================================
S1, heading                                          test
===================================================  =======================================================
Application: tasks.py                                test_tasks_py
how to run, ``-A tasks worker --loglevel=INFO``      test_the_worker_of_a_module
how to get help                                      test_help
Calling the task                                     test_calling_the_task
Keeping Results, both blocks                         test_keeping_results, test_a_failure_is_raised_again
Configuration: ``app.conf.task_serializer``          test_a_setting
Configuration: celeryconfig.py                       test_celeryconfig
Configuration: ``control rate_limit``                not here: remote control
Should use modularization: proj/, the banner         test_a_package
Background: multi                                    not here
-A (--app)                                           test_what_a_names
calling tasks, all blocks                            test_calling_the_task, test_the_state_of_a_failure
Canvas: ``add.signature``, ``add.s``, ``s.delay()``  test_signatures
Canvas: Group                                        test_a_group
Canvas: Chains                                       test_a_chain
Routing                                              test_hipri
Remote Control                                       not here
===================================================  =======================================================

The banner tells what the one in the notes tells, in a layout of its own.

The brokers and backends of the blocks (``pyamqp://``, ``rpc://``) are plugins of their own; the blocks are made as they
stand, which connects to nothing, and run on a broker that comes with the kernel.
"""

import re

import pytest

from kernel import Kernel, chain, group
from kernel.cli.find_app import Finder

TASKS = """
    from kernel import Kernel

    app = Kernel('tasks', broker='sqlite:///kernel.sqlite3', backend='sqlite:///kernel.sqlite3')


    @app.task
    def add(x, y):
        return x + y
"""

PROJ = """
    from kernel import Kernel

    app = Kernel('proj',
                 broker='sqlite:///kernel.sqlite3',
                 backend='sqlite:///kernel.sqlite3',
                 include=['proj.tasks'])

    # Optional configuration, see the application user guide.
    app.conf.update(
        result_expires=3600,
    )

    if __name__ == '__main__':
        app.start()
"""

PROJ_TASKS = """
    from .kernel import app


    @app.task
    def add(x, y):
        return x + y


    @app.task
    def mul(x, y):
        return x * y


    @app.task
    def xsum(numbers):
        return sum(numbers)
"""


@pytest.fixture
def tasks(module):
    """The module ``tasks`` of the first steps."""
    module("tasks.py", TASKS)
    import tasks

    yield tasks
    tasks.app.close()


@pytest.fixture
def proj(module):
    """The package ``proj`` of the next steps."""
    module("proj/__init__.py", "")
    module("proj/kernel.py", PROJ)
    module("proj/tasks.py", PROJ_TASKS)
    import proj.kernel
    import proj.tasks

    yield proj
    proj.kernel.app.close()


def test_tasks_py(module):
    module("tasks.py", TASKS.replace("sqlite:///kernel.sqlite3", "pyamqp://guest@localhost//"))
    import tasks

    assert tasks.add.name == "tasks.add"
    assert tasks.add(4, 4) == 8
    assert tasks.app.conf.broker_url == "pyamqp://guest@localhost//"


def test_rpc_and_amqp_are_only_looked_for_when_they_are_used():
    app = Kernel("tasks", backend="rpc://", broker="pyamqp://")
    assert (app.conf.result_backend, app.conf.broker_url) == ("rpc://", "pyamqp://")


def test_the_worker_of_a_module(tasks, run_worker):
    with run_worker("-A", "tasks", "worker", "--loglevel=INFO", "-P", "threads", "-c", "1") as started:
        assert tasks.add.delay(4, 5).get(timeout=30) == 9
    assert "tasks.add" in started.log()


@pytest.mark.parametrize("command", [["worker", "--help"], ["--help"]])
def test_help(command, run_kernel):
    shown = run_kernel(*command)
    assert shown.returncode == 0
    assert "Usage: kernel" in shown.stdout


def test_calling_the_task(tasks, worker):
    add = tasks.add
    result = add.delay(4, 4)
    assert re.fullmatch(r"<AsyncResult: [0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}>", repr(result))
    later = add.apply_async((2, 2), queue="lopri", countdown=10)
    assert later.state == "PENDING"
    assert add(2, 2) == 4
    with worker(tasks.app):
        assert result.get(timeout=20) == 8
        assert add.apply_async((2, 2)).get(timeout=20) == 4
    assert re.fullmatch(r"[0-9a-f-]{36}", result.id)


def test_keeping_results(tasks, worker, until):
    with worker(tasks.app):
        result = tasks.add.delay(4, 5)
        until(result.ready)
        assert result.get(timeout=1) == 9


def test_a_failure_is_raised_again(app, worker):
    @app.task
    def divide(x, y):
        return x / y

    with worker(app):
        result = divide.delay(1, 0)
        with pytest.raises(ZeroDivisionError):
            result.get(timeout=20)
        assert isinstance(result.get(timeout=20, propagate=False), ZeroDivisionError)


def test_the_state_of_a_failure(app, worker):
    @app.task
    def fail():
        raise KeyError("x")

    with worker(app):
        res = fail.delay()
        res.get(timeout=20, propagate=False)
        assert res.state == "FAILURE"


def test_a_setting(app):
    app.conf.task_serializer = "json"
    assert app.conf.task_serializer == "json"


def test_celeryconfig(make_app, module, worker):
    module(
        "celeryconfig.py",
        """
        task_routes = {
            'tasks.add': 'low-priority',
        }

        task_annotations = {
            'tasks.add': {'rate_limit': '10/m'}
        }
        """,
    )
    app = make_app("tasks")
    app.config_from_object("celeryconfig")

    @app.task(name="tasks.add")
    def add(x, y):
        return x + y

    with worker(app, queues=["low-priority"]):
        assert add.delay(2, 2).get(timeout=20) == 4
    app.finalize()
    assert add.prepared.config is app.config
    assert add.rate_limit == "10/m"


def test_a_package(proj, run_worker):
    assert proj.kernel.app.conf.result_expires == 3600
    with run_worker("-A", "proj", "worker", "--loglevel=INFO", "-c", "1") as started:
        assert proj.tasks.add.delay(2, 2).get(timeout=30) == 4
        assert proj.tasks.mul.delay(3, 4).get(timeout=30) == 12
        assert proj.tasks.xsum.delay([1, 2, 3]).get(timeout=30) == 6
    banner = {line.split()[0]: line.split(None, 1)[1] for line in started.log().splitlines() if len(line.split()) > 1}
    assert banner["app"] == "proj  (proj.kernel:app)"
    assert banner["broker"].startswith("sqlite:///")
    assert banner["results"].startswith("sqlite:///")
    assert banner["pool"] == "prefork, 1 at a time"
    assert banner["queues"] == "kernel"
    assert "off" in started.log().split("task events")[1].splitlines()[0]
    for task in ("proj.tasks.add", "proj.tasks.mul", "proj.tasks.xsum"):
        assert task in [line.strip() for line in started.log().splitlines()]
    assert "ready." in started.log()


@pytest.mark.parametrize(
    ("files", "path"),
    [
        ({"proj/__init__.py": "app"}, "proj"),
        ({"proj/__init__.py": "kernel"}, "proj"),
        ({"proj/__init__.py": "celery"}, "proj"),
        ({"proj/__init__.py": "anything"}, "proj"),
        ({"proj/__init__.py": "", "proj/kernel.py": "app"}, "proj"),
        ({"proj/__init__.py": "", "proj/kernel.py": "kernel"}, "proj"),
        ({"proj/__init__.py": "", "proj/kernel.py": "anything"}, "proj"),
        ({"proj/__init__.py": "", "proj/deep.py": "anything"}, "proj.deep:anything"),
        ({"proj/__init__.py": "", "proj/deep.py": "anything"}, "proj.deep"),
    ],
)
def test_what_a_names(files, path, module):
    for name, attribute in files.items():
        module(name, f"from kernel import Kernel\n{attribute} = Kernel('found')\n" if attribute else "")
    assert Finder(Kernel).find(path).main == "found"


def test_the_submodule_goes_before_any_other_instance(module):
    module("proj/__init__.py", "from kernel import Kernel\nanything = Kernel('instance')\n")
    module("proj/kernel.py", "from kernel import Kernel\napp = Kernel('submodule')\n")
    assert Finder(Kernel).find("proj").main == "submodule"


def test_signatures(proj, worker):
    add = proj.tasks.add
    sig = add.signature((2, 5), countdown=10)
    assert repr(sig) == "proj.tasks.add(2, 5)"
    assert sig.options["countdown"] == 10
    assert repr(add.s(2, 2)) == "proj.tasks.add(2, 2)"
    with worker(proj.kernel.app):
        s = add.s(2, 4)
        res = s.delay()
        assert res.get(timeout=20) == 6
    assert add.s(2, 2)() == 4


def test_a_group(proj, worker):
    add = proj.tasks.add
    with worker(proj.kernel.app):
        assert group(add.s(i, i) for i in range(10))().get(timeout=30) == [0, 2, 4, 6, 8, 10, 12, 14, 16, 18]


def test_a_chain(proj, worker):
    add, mul = proj.tasks.add, proj.tasks.mul
    with worker(proj.kernel.app):
        assert chain(add.s(4, 4) | mul.s(8))().get(timeout=30) == 64


def test_hipri(make_app, worker):
    app = make_app()
    app.conf.update(
        task_routes={
            "proj.tasks.add": {"queue": "hipri"},
        },
    )

    @app.task(name="proj.tasks.add")
    def add(x, y):
        return x + y

    with worker(app, queues=["hipri"]):
        assert add.delay(2, 2).get(timeout=20) == 4


def test_the_program_of_an_app(proj, run_python):
    shown = run_python("-m", "proj.kernel", "--help")
    assert shown.returncode == 0
    assert "Usage: kernel" in shown.stdout
