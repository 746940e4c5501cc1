"""S1, "User Guide: Application". Which block is which test:

=====================================================  ====================================================
S1, heading                                            test
=====================================================  ====================================================
Main Name: all three sessions                          test_a_session, test_the_registry
Configuration: ``type(app.conf)``, the two ways        test_two_ways_to_configure
Configuration: the order of sources, add_defaults      test_the_order_of_sources
config_from_object 1 to 4                              test_config_from_a_name, _module, _class, _envvar
Censored configuration                                 test_censored_configuration
Laziness                                               test_laziness
Laziness: finalization                                 test_finalization
Breaking the chain, all blocks                         test_breaking_the_chain, test_app_or_default
Abstract Tasks: ``base=OtherTask``                     test_another_base
Abstract Tasks: DebugTask                              test_debug_task
Abstract Tasks: ``app.Task = MyBaseTask``              test_the_base_of_an_app
=====================================================  ====================================================

Wrong there: ``config_from_object`` does not reset what was set before (features.md 1.16); ``type(add)`` is no proxy
but a task, evaluated from its definition on; ``@app.task(base=OtherTask):`` has a colon too many.
"""

import re

import pytest

import kernel
from kernel import Kernel, Task, current_app, shared_task
from kernel.app import app_or_default
from kernel.app.registry import TaskRegistry
from kernel.app.settings import Settings

SESSION = """
from kernel import Kernel
app = Kernel()
print(repr(app))

@app.task
def add(x, y):
    return x + y

print(repr(add))
print(repr(app.tasks['__main__.add']))
print(type(app.tasks).__name__)
"""


def test_a_session(run_python, module):
    shown = run_python(str(module("session.py", SESSION)))
    assert shown.returncode == 0, shown.stderr
    app, add, from_registry, registry = shown.stdout.splitlines()
    address = re.fullmatch(r"<Kernel __main__ at (0x[0-9a-f]+)>", app)[1]
    assert add == from_registry == f"<@task: __main__.add of __main__ at {address}>"
    assert registry == "TaskRegistry"


def test_the_registry(make_app):
    app = make_app("__main__")

    @app.task(name="__main__.add")
    def add(x, y):
        return x + y

    assert app.tasks["__main__.add"] is add
    assert "__main__.add" in app.tasks
    assert type(app.tasks) is TaskRegistry


def test_the_main_name_stands_for_main(make_app):
    assert make_app("proj").gen_task_name("add", "__main__") == "proj.add"
    assert make_app("proj").gen_task_name("add", "other.tasks") == "other.tasks.add"


def test_two_ways_to_configure():
    app = Kernel()
    assert type(app.conf) is Settings
    app.conf.enable_utc = True
    app.conf.update(
        enable_utc=True,
        timezone="Europe/London",
    )
    assert app.conf.enable_utc is True
    assert app.conf.timezone == "Europe/London"


def test_the_order_of_sources():
    app = Kernel()
    app.add_defaults({"timezone": "Europe/Paris", "task_compression": "zlib", "result_extended": True})
    app.config_from_object({"timezone": "Europe/London", "task_compression": "gzip"})
    app.conf.timezone = "Europe/Berlin"
    assert app.conf.timezone == "Europe/Berlin"
    assert app.conf.task_compression == "gzip"
    assert app.conf.result_extended is True
    assert app.conf.task_serializer == "json"


CELERYCONFIG = """
    enable_utc = True
    timezone = 'Europe/London'

    class CeleryConfig:
        timezone = 'Europe/Paris'
"""


@pytest.mark.parametrize("name", ["celeryconfig", "myproj.config.celery", "myproj.config:CeleryConfig"])
def test_config_from_a_name(name, module):
    for path in ("celeryconfig.py", "myproj/config/celery.py", "myproj/config/__init__.py"):
        module(path, CELERYCONFIG)
    app = Kernel()
    app.config_from_object(name)
    assert app.conf.timezone == ("Europe/Paris" if ":" in name else "Europe/London")


def test_config_from_a_module(module):
    module("celeryconfig.py", CELERYCONFIG)
    import celeryconfig

    app = Kernel()
    app.config_from_object(celeryconfig)
    assert app.conf.timezone == "Europe/London"


def test_config_from_a_class():
    app = Kernel()

    class Config:
        enable_utc = True
        timezone = "Europe/London"

    app.config_from_object(Config)
    assert app.conf.timezone == "Europe/London"


def test_config_from_an_envvar(module, monkeypatch):
    module("celeryconfig.py", CELERYCONFIG)
    monkeypatch.setenv("CELERY_CONFIG_MODULE", "celeryconfig")
    app = Kernel()
    app.config_from_envvar("CELERY_CONFIG_MODULE")
    assert app.conf.timezone == "Europe/London"


@pytest.mark.parametrize("force", [True, False])
def test_what_was_set_before_an_object_survives(force):
    app = Kernel(task_compression="zlib")
    app.conf.timezone = "Europe/Berlin"
    app.config_from_object({"timezone": "Europe/London", "task_compression": "gzip"}, force=force)
    assert (app.conf.timezone, app.conf.task_compression) == ("Europe/Berlin", "zlib")


def test_censored_configuration():
    app = Kernel(broker="amqp://user:wordpass@host//", timezone="Europe/London")
    text = app.conf.humanize(with_defaults=False, censored=True)
    table = app.conf.table(with_defaults=False, censored=True)
    assert "wordpass" not in text + repr(table)
    assert table == {"timezone": "Europe/London", "broker_url": "amqp://user:********@host//"}
    assert "broker_url: 'amqp://user:********@host//'" in text.splitlines()


def test_laziness(module):
    seen = []

    class MyKernel(Kernel):
        def on_init(self):
            seen.append(self)

    app = MyKernel(broker="amqp://nobody@nowhere.invalid//", config_source="no_such_module")
    assert seen == [app]
    assert current_app.conf is app.conf
    other = Kernel("other", set_as_current=False)
    assert app_or_default() is app
    assert other.clock is not app.clock

    @app.task
    def add(x, y):
        return x + y

    assert add.__evaluated__() is True
    assert add(1, 2) == 3
    assert not app.finalized


def test_finalization(make_app):
    @shared_task
    def shared(x):
        return x

    app = make_app("one")

    @app.task
    def add(x, y):
        return x + y

    assert not app.finalized
    tasks = app.tasks
    assert app.finalized
    assert tasks[add.name] is add
    name = next(name for name in tasks if name.endswith(".shared"))
    assert tasks[name].app is app
    assert shared(3) == 3


def test_an_app_that_asks_for_its_finalization(make_app):
    app = make_app("strict", autofinalize=False)
    with pytest.raises(RuntimeError, match="finalize"):
        app.tasks  # noqa: B018 - touching it is the point
    app.finalize()
    assert app.tasks is not None


def test_breaking_the_chain(make_app):
    app = make_app("given")

    class BadScheduler:
        def run(self):
            return current_app

    class Scheduler:
        def __init__(self, app):
            self.app = app

    assert BadScheduler().run().main == "given"
    make_app("later")
    assert BadScheduler().run().main == "later"
    assert Scheduler(app).app is app


def test_app_or_default(make_app):
    class Scheduler:
        def __init__(self, app=None):
            self.app = app_or_default(app)

    current = make_app("current")
    other = make_app("other", set_as_current=False)
    assert Scheduler().app is current
    assert Scheduler(other).app is other


def test_another_base(app):
    class OtherTask(Task):
        flavour = "other"

    @app.task(base=OtherTask)
    def add(x, y):
        return x + y

    assert isinstance(add, OtherTask)
    assert isinstance(add, kernel.Task)
    assert add.flavour == "other"
    assert add(2, 2) == 4


def test_debug_task(app, worker, capfd, until):
    lines = []

    class DebugTask(Task):
        def __call__(self, *args, **kwargs):
            lines.append("TASK STARTING: {0.name}[{0.request.id}]".format(self))
            return self.run(*args, **kwargs)

    @app.task(base=DebugTask)
    def add(x, y):
        return x + y

    with worker(app):
        result = add.delay(2, 2)
        assert result.get(timeout=20) == 4
    assert lines == [f"TASK STARTING: {add.name}[{result.id}]"]


def test_the_base_of_an_app(app, worker):
    class MyBaseTask(Task):
        queue = "hipri"

    app.Task = MyBaseTask
    assert repr(app.Task) == "<unbound MyBaseTask>"

    @app.task(name="__main__.add")
    def add(x, y):
        return x + y

    assert repr(add).startswith("<@task: __main__.add")
    add_class, my_base, base, *_ = add.__class__.mro()
    assert repr(add_class).startswith("<class add of <Kernel proj:0x")
    assert repr(my_base) == "<unbound MyBaseTask>"
    assert repr(base) == "<unbound Task>"
    with worker(app, queues=["hipri"]):
        assert add.delay(2, 2).get(timeout=20) == 4
