"""How tasks are defined, named and shown (features.md 1.15, 1.17, 1.18)."""

import re
import threading
from typing import Any

import pytest

import kernel
from kernel import Kernel, Task, app_or_default, current_app, shared_task
from kernel.app.shared import blueprints
from kernel.errors import ImproperlyConfigured, NotRegistered, UnknownSetting
from kernel.errors.warnings import DuplicateTaskNameWarning


def test_names_come_from_module_and_function(app: Kernel) -> None:
    @app.task
    def add(x, y):
        return x + y

    assert add.name == f"{__name__}.add"


def test_functions_of_main_are_named_after_the_app(make_app) -> None:
    def add(x, y):
        return x + y

    add.__module__ = "__main__"

    assert make_app("proj").task(add).name == "proj.add"
    assert make_app(None).task(add).name == "__main__.add"


def test_an_explicit_name_wins(app: Kernel) -> None:
    @app.task(name="sum-of-two-numbers")
    def add(x, y):
        return x + y

    assert add.name == "sum-of-two-numbers"
    assert app.tasks["sum-of-two-numbers"] is add


def test_gen_task_name_may_be_overridden() -> None:
    class MyKernel(Kernel):
        def gen_task_name(self, name, module):
            module = module.removesuffix(".tasks")
            return super().gen_task_name(name, module)

    def add(): ...

    add.__module__ = "moduleA.tasks"
    app = MyKernel("main", set_as_current=False)

    assert app.task(add).name == "moduleA.add"


def own_tasks(app):
    """Names of the tasks that are not built in."""
    return [name for name in app.tasks if not name.startswith(("celery.", "kernel."))]


def test_the_built_in_tasks_are_in_every_registry(app: Kernel) -> None:
    assert {
        "celery.accumulate", "celery.backend_cleanup", "celery.chain", "celery.chord", "celery.chord_unlock",
        "celery.chunks", "celery.group", "celery.map", "celery.starmap",
    } <= set(app.tasks)  # fmt: skip


def test_app_and_task_are_shown_with_address_and_main_name(app: Kernel) -> None:
    @app.task(name="proj.add")
    def add(x, y):
        return x + y

    assert repr(app) == f"<Kernel proj at {id(app):#x}>"
    assert repr(add) == f"<@task: proj.add of proj at {id(app):#x}>"
    assert re.fullmatch(r"<Kernel __main__ at 0x[0-9a-f]+>", repr(Kernel(set_as_current=False)))
    assert type(app.tasks).__name__ == "TaskRegistry"
    assert repr(app.tasks).startswith(f"{{'proj.add': {add!r}, 'celery.accumulate': <@task: ")
    assert add.__evaluated__() is True


def test_the_base_class_of_an_app_may_be_replaced(app: Kernel) -> None:
    class MyBaseTask(Task):
        queue = "hipri"

    app.Task = MyBaseTask
    assert repr(app.Task) == "<unbound MyBaseTask>"

    @app.task
    def add(x, y):
        return x + y

    shown = [repr(cls) for cls in add.__class__.mro()]
    assert shown[:3] == [f"<class add of <Kernel proj:{id(app):#x}>>", "<unbound MyBaseTask>", "<unbound Task>"]
    assert shown[-1] == "<class 'object'>"
    assert add.queue == "hipri"
    assert isinstance(add, MyBaseTask)


def test_a_base_replaced_on_one_app_leaves_others_alone(make_app) -> None:
    one, other = make_app(), make_app()

    class Mine(Task): ...

    one.Task = Mine

    assert other.Task is Task
    assert not isinstance(other.task(lambda: None), Mine)


def test_options_become_attributes(app: Kernel) -> None:
    @app.task(serializer="json", max_retries=7, time_limit=30, queue="q", throws=(KeyError,))
    def add(x, y):
        return x + y

    assert (add.serializer, add.max_retries, add.time_limit, add.queue, add.throws) == ("json", 7, 30, "q", (KeyError,))


def test_an_option_may_be_an_attribute_or_method_of_the_base_class(app: Kernel) -> None:
    class Base(Task):
        database = "main"

    failed = []

    @app.task(base=Base, database="other", on_failure=lambda self, exc, task_id, *_: failed.append((self, task_id)))
    def add(x, y):
        raise KeyError(x)

    add.apply((1, 2), task_id="mine")

    assert add.database == "other"
    assert failed == [(add, "mine")]


def test_an_unknown_option_is_refused_with_a_suggestion(app: Kernel) -> None:
    with pytest.raises(TypeError, match=r"Unknown task option 'rate_limmit'. Did you mean 'rate_limit'"):

        @app.task(rate_limmit="10/m")
        def add(x, y): ...


@pytest.mark.parametrize("wrong", [1, "add"])
def test_what_is_no_function_is_refused(app: Kernel, wrong: Any) -> None:
    with pytest.raises(TypeError, match="takes a function"):
        app.task(wrong)


def test_a_task_is_no_function(app: Kernel) -> None:
    @app.task
    def add(): ...

    with pytest.raises(TypeError, match="takes a function"):
        app.task(add)


def test_a_base_must_be_a_task_class(app: Kernel) -> None:
    with pytest.raises(TypeError, match="base must be a class derived from"):
        app.task(base=dict)(lambda: None)


def test_any_callable_can_be_a_task(app: Kernel) -> None:
    class Adder:
        def __call__(self, x, y=1):
            return x + y

    adder = app.task(name="adder")(Adder())

    assert adder(2, 3) == 5
    assert adder.apply((2,)).get() == 3
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'x'"):
        adder.delay()


def test_the_first_task_of_a_name_stays(app: Kernel) -> None:
    @app.task(name="add")
    def add(x, y):
        return x + y

    with pytest.warns(DuplicateTaskNameWarning, match="Two tasks are named 'add'"):

        @app.task(name="add")
        def other(x, y):
            return x * y

    assert other is add
    assert app.tasks["add"](2, 3) == 5


def test_the_same_function_again_is_no_duplicate(app: Kernel) -> None:
    def define():
        @app.task
        def add(x, y):
            return x + y

        return add

    assert define() is define()


def test_a_custom_call_runs_around_the_body(app: Kernel) -> None:
    seen = []

    class DebugTask(Task):
        def __call__(self, *args, **kwargs):
            seen.append(f"TASK STARTING: {self.name}[{self.request.id}]")
            return self.run(*args, **kwargs)

    @app.task(base=DebugTask, name="add")
    def add(x, y):
        return x + y

    assert add(2, 2) == 4
    assert add.apply((2, 2), task_id="some-id").get() == 4
    assert seen == ["TASK STARTING: add[None]", "TASK STARTING: add[some-id]"]


def test_calling_super_keeps_the_request_of_the_run(app: Kernel) -> None:
    class Wrapped(Task):
        def __call__(self, *args, **kwargs):
            return super().__call__(*args, **kwargs)

    @app.task(base=Wrapped, bind=True)
    def who(self):
        return self.request.id, self.request.called_directly

    assert who.apply(task_id="run").get() == ("run", False)
    assert who() == (None, True)


def test_class_tasks_are_registered_by_hand_and_instantiated_once(app: Kernel) -> None:
    made = []

    class NaiveAuthenticateServer(app.Task):
        def __init__(self):
            made.append(self)
            self.users = {"george": "password"}

        def run(self, username, password):
            try:
                return self.users[username] == password
            except KeyError:
                return False

    assert not own_tasks(app)
    task = app.register_task(NaiveAuthenticateServer())

    assert app.tasks[NaiveAuthenticateServer.name] is task
    assert task.name == f"{__name__}.NaiveAuthenticateServer"
    assert task.apply(("george", "password")).get() is True
    assert task("paul", "x") is False
    assert made == [task]
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'password'"):
        task.delay("george")


def test_register_task_takes_task_objects_only(app: Kernel) -> None:
    with pytest.raises(TypeError, match="register_task takes an object"):
        app.register_task(len)


def test_a_base_class_may_cache_a_resource_per_process(app: Kernel) -> None:
    opened = []

    class DatabaseTask(Task):
        _db = None

        @property
        def db(self):
            if self._db is None:
                opened.append(1)
                self._db = {"rows": 3}
            return self._db

    @app.task(base=DatabaseTask, bind=True)
    def process_rows(self):
        return self.db["rows"]

    assert [process_rows(), process_rows.apply().get()] == [3, 3]
    assert opened == [1]


def test_a_task_class_without_a_body_says_so(app: Kernel) -> None:
    class Empty(Task): ...

    with pytest.raises(NotImplementedError, match="define run"):
        app.register_task(Empty())()


def test_an_unregistered_task_names_the_cure() -> None:
    class Lonely(Task):
        def run(self): ...

    with pytest.raises(RuntimeError, match="register it"):
        Lonely().delay()


def test_an_unknown_name_in_the_registry_is_an_error_with_a_suggestion(app: Kernel) -> None:
    app.task(name="proj.add")(lambda: None)

    with pytest.raises(NotRegistered) as caught:
        app.tasks["proj.ad"]
    assert "proj.add" in caught.value.cure
    assert app.tasks.get("proj.ad") is None


def test_unregister(app: Kernel) -> None:
    add = app.task(name="proj.add")(lambda: None)

    app.tasks.unregister(add)

    assert not own_tasks(app)
    with pytest.raises(NotRegistered):
        app.tasks.unregister("proj.add")


def test_creating_an_app_reads_nothing_and_calls_on_init(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    class Mine(Kernel):
        def on_init(self) -> None:
            seen.append((self.clock.value, dict(self._registry)))

    monkeypatch.setenv("KERNEL_BROKER_URL", "not read")
    app = Mine(config_source="no.such.module", set_as_current=False)

    assert seen == [(0, {})]
    with pytest.raises(ImproperlyConfigured):
        _ = app.conf.broker_url


def test_an_unknown_setting_in_the_constructor_is_refused_at_once() -> None:
    with pytest.raises(UnknownSetting, match="task_serialiser"):
        Kernel(task_serialiser="json", set_as_current=False)


def test_without_autofinalize_the_app_must_be_finalized(make_app) -> None:
    app = make_app(autofinalize=False)

    @app.task
    def add(x, y):
        return x + y

    with pytest.raises(RuntimeError, match="app not finalized"):
        _ = app.tasks
    with pytest.raises(RuntimeError, match="app not finalized"):
        add.delay(2, 2)
    app.finalize()
    assert app.tasks[add.name] is add


def test_the_newest_app_is_the_current_one() -> None:
    before = app_or_default()
    app = Kernel("newest")
    try:
        assert app_or_default() is app
        assert current_app.main == "newest"
        assert repr(current_app) == repr(app)
        Kernel("aside", set_as_current=False)
        assert app_or_default() is app
        assert app_or_default(before) is before
    finally:
        before.set_current()


def test_shared_tasks_belong_to_every_app(make_app) -> None:
    before = app_or_default()

    @shared_task(name="lib.double", max_retries=9)
    def double(x):
        return 2 * x

    try:
        one, other = make_app("one"), make_app("other")
        assert one.tasks["lib.double"] is not other.tasks["lib.double"]
        one.set_current()
        assert double.app is one
        assert double.max_retries == 9
        assert double(4) == 8
        assert double.apply((4,)).get() == 8
        other.set_current()
        assert double.app is other
        with pytest.raises(TypeError, match="a task already"):
            shared_task(double)
    finally:
        before.set_current()
        del blueprints["lib.double"]


def test_a_task_shared_after_finalization_is_there_too(make_app) -> None:
    app = make_app()
    app.finalize()

    @shared_task(name="lib.late")
    def late(): ...

    try:
        assert "lib.late" in app.tasks
    finally:
        del blueprints["lib.late"]


def test_autodiscovery_imports_the_task_modules_of_packages(app: Kernel, tmp_path, monkeypatch) -> None:
    package = tmp_path / "discovered"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "tasks.py").write_text("LOADED = True\n")
    bare = tmp_path / "discovered_bare.py"
    bare.write_text("")
    monkeypatch.syspath_prepend(tmp_path)

    app.autodiscover_tasks(lambda: ["discovered", "discovered_bare"])

    import sys

    assert sys.modules["discovered.tasks"].LOADED
    with pytest.raises(ModuleNotFoundError):
        app.autodiscover_tasks(["no_such_package"])
    with pytest.raises(TypeError, match="list of packages"):
        app.autodiscover_tasks("discovered")


def test_two_apps_in_one_process_do_not_mix(make_app, sent) -> None:
    one, other = make_app("one", task_default_queue="a"), make_app("two", task_default_queue="b")
    first, second = one.task(name="t")(lambda: 1), other.task(name="t")(lambda: 2)
    to_one, to_other = sent(one), sent(other)

    first.delay()
    second.delay()

    assert [item.queue for item in to_one] == ["a"]
    assert [item.queue for item in to_other] == ["b"]


def test_threads_may_define_and_call_at_once(make_app) -> None:
    app = make_app()
    errors = []

    def work(number):
        try:
            task = app.task(name=f"t{number}")(lambda: number)
            for _ in range(20):
                task.delay()
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    assert len(own_tasks(app)) == 8


def test_the_logical_clock_never_goes_back(app) -> None:
    assert [app.clock.forward(), app.clock.adjust(10), app.clock.adjust(3), app.clock.forward()] == [1, 11, 12, 13]
    assert repr(app.clock) == "<LogicalClock: 13>"


def test_attributes_of_the_current_app_may_be_set(make_app) -> None:
    before, app = app_or_default(), make_app()
    try:
        app.set_current()
        current_app.main = "renamed"
        assert app.main == "renamed"
    finally:
        before.set_current()


def test_register_task_takes_a_class_too(app: Kernel) -> None:
    class Named(Task):
        name = "chosen"

        def run(self): ...

    assert app.register_task(Named).name == "chosen"


def test_what_the_package_offers() -> None:
    assert set(kernel.__all__) <= set(dir(kernel))
