"""1.15 the application, 1.16 its configuration, 1.17 laziness, 1.18 tasks, 1.30 the long examples."""

import os
import re
import sys
import types
import warnings

import celery
from celery import Celery, Task, current_app
from celery.app import app_or_default
from proj import tasks
from proj.base import DebugTask
from proj.celery import app
from proj.features.calling import T, raised
from proj.tasks import add


class MyCelery(Celery):
    """Names without the last module, and a hook."""

    ready = False

    def gen_task_name(self, name, module):
        return super().gen_task_name(name, module.removesuffix(".application"))

    def on_init(self):
        self.ready = True


class OwnTask(Task):
    """The base class of an application."""

    own = True


def apps():
    own = MyCelery("own", set_as_current=False)
    own.Task = OwnTask

    @own.task
    def named():
        """A task."""

    builtin = sorted(name for name in app.tasks if name.startswith("celery."))
    return {
        "repr": re.sub(r"0x[0-9a-f]+", "0x", repr(app)),
        "repr of main": re.sub(r"0x[0-9a-f]+", "0x", repr(Celery(set_as_current=False))),
        "builtin": builtin,
        "current": current_app.main,
        "app_or_default": [app_or_default().main, app_or_default(own).main],
        "gen_task_name": named.name,
        "on_init": own.ready,
        "own Task": [named.own, isinstance(named, OwnTask)],
        "registry": type(app.tasks).__name__,
        "of the task": add.app.main,
        "AsyncResult": app.AsyncResult("x").id,
        "several": [Celery("a", set_as_current=False).main, Celery("b", set_as_current=False).main],
        "set_as_current": celery.current_app.main,
        "base": isinstance(own.task(base=DebugTask)(apps), DebugTask),
    }


def configuration():
    module = types.ModuleType("own_config")
    vars(module).update(task_serializer="yaml", timezone="Europe/London")
    module.Config = type("Config", (), {"timezone": "Asia/Tokyo"})
    sys.modules["own_config"] = module
    os.environ["OWN_CONFIG"] = "own_config"

    class Config:
        enable_utc = True
        timezone = "Europe/London"

    def made(source=None, /, **options):
        made_app = Celery("c", set_as_current=False)
        if source is not None:
            made_app.config_from_object(source, **options)
        return made_app

    by_name, by_module, by_class, by_attribute = map(made, ("own_config", module, Config, "own_config:Config"))
    by_variable = made()
    by_variable.config_from_envvar("OWN_CONFIG")
    by_mapping = made({"task_serializer": "pickle"})
    in_django = types.SimpleNamespace(CELERY_TASK_SERIALIZER="yaml", CELERY_TIMEZONE="UTC", DEBUG=1)
    django = made(in_django, namespace="CELERY")
    old = made({"CELERY_TASK_SERIALIZER": "yaml", "CELERYD_CONCURRENCY": 3, "CELERY_TASK_RESULT_EXPIRES": 5})
    early = made()
    early.conf.timezone = "UTC"
    early.conf.update(task_serializer="json", result_expires=7)
    early.config_from_object(module)
    early.add_defaults(lambda: {"worker_concurrency": 9, "timezone": "Asia/Tokyo"})
    secret = Celery("s", broker="redis://:only-a-test@h/1", set_as_current=False)
    secret.conf.my_own_setting = 5
    mixed = made({"CELERYD_CONCURRENCY": 3, "task_serializer": "json", "timezone": "UTC"})
    return {
        "styles": [each.conf.timezone for each in (by_name, by_module, by_class, by_attribute, by_variable)],
        "mapping": by_mapping.conf.task_serializer,
        "django": [django.conf.task_serializer, django.conf.timezone],
        "old names": [old.conf.task_serializer, old.conf.worker_concurrency, old.conf.result_expires],
        "by an old name": old.conf["CELERYD_CONCURRENCY"],
        "order": [early.conf.timezone, early.conf.task_serializer, early.conf.result_expires],
        "added defaults": early.conf.worker_concurrency,
        "masked": ["only-a-test" in secret.conf.humanize(), "only-a-test" in str(secret.conf.table())],
        "table": sorted(set(secret.conf.table()) - {"deprecated_settings"}),
        "own": secret.conf.my_own_setting,
        "get": [secret.conf.get("nothing_here", 4), secret.conf.get("task_track_started")],
        "items": [secret.conf["task_track_started"], "task_serializer" in secret.conf],
        "attributes": hasattr(secret.conf, "nothing_here"),
        "exchange": [secret.conf.task_default_exchange, secret.conf["task_default_exchange"]],
        "mixed": raised(lambda: mixed.conf.timezone)[0],
        "defaults": {
            name: secret.conf[name]
            for name in ("task_default_queue", "worker_prefetch_multiplier", "accept_content",
                         "task_acks_late", "enable_utc", "result_backend", "broker_heartbeat", "task_protocol")
        },
    }  # fmt: skip


def laziness():
    read = types.ModuleType("lazy_config")
    lazy = Celery("lazy", set_as_current=False)
    lazy.config_from_object("lazy_config")  # it does not exist yet
    sys.modules["lazy_config"] = read
    read.timezone = "Asia/Tokyo"

    @lazy.task
    def late():
        return "late"

    strict = Celery("strict", set_as_current=False, autofinalize=False)

    @strict.task
    def never():
        """Not before finalize()."""

    before = raised(lambda: strict.tasks)
    strict.finalize()
    return {
        "read late": lazy.conf.timezone,
        "evaluated": [late(), late.__evaluated__()],
        "autofinalize": before[0],
        "finalized": [strict.finalized, never.name in strict.tasks],
        "on_init only": Celery("x", set_as_current=False).main,
    }


def definitions():
    attributes = (
        "max_retries", "throws", "default_retry_delay", "rate_limit", "time_limit", "soft_time_limit", "ignore_result",
        "store_errors_even_if_ignored", "serializer", "acks_late", "track_started", "typing",
        "priority", "expires",
    )  # fmt: skip
    own = Celery("proj.definitions", set_as_current=False)

    @own.task(bind=True, max_retries=7, throws=(KeyError,), my_own=3)
    def bound(self, x):
        return [self.name, self.max_retries, x]

    def in_the_program():
        """A task of the module that is run."""

    def first():
        return "first"

    def second():
        return "second"

    in_the_program.__module__ = "__main__"
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        for function in (first, second):
            own.task(name="twice")(function)
        own.finalize()

    class ClassTask(celery.Task):
        name = "by-class"

        def run(self, x):
            return x + 1

    registered = own.register_task(ClassTask())
    return {
        "repr": re.sub(r"0x[0-9a-f]+", "0x", repr(add)),
        "defaults": {name: getattr(add, name) for name in attributes},
        "bound": bound(4),
        "throws": [error.__name__ for error in bound.throws],
        "own attribute": bound.my_own,
        "of the program": own.task(in_the_program).name,
        "twice": "DuplicateTaskNameWarning" in {each.category.__name__ for each in warned},
        "by class": [registered(2), own.tasks["by-class"](3)],
        "custom base": tasks.uses_database.delay().get(timeout=T),
        "cached per process": tasks.authenticate.delay("george", "password").get(timeout=T),
        "wrong password": tasks.authenticate.delay("george", "x").get(timeout=T)[0],
        "named": [tasks.named.name, tasks.named.delay().get(timeout=T)],
        "doc": type(add.run).__name__ in {"function", "method"},
    }


def long_examples():
    subject = f"debug-{os.getpid()}"
    return {
        "DebugTask": tasks.debugged.delay(2, subject=subject).get(timeout=T),
        "twitter": tasks.send_twitter_status.delay("oauth", "tweet").get(timeout=T),
        "render_scene": tasks.render_scene.delay("small").get(timeout=T),
        "lopri": add.apply_async((2, 2), queue="hipri", countdown=0.2).get(timeout=T),
        "failing add": raised(add.delay, 2),
        "unknown id": app.AsyncResult("this-id-does-not-exist").state,
        "progress": tasks.hello.delay(1, 2).get(timeout=T),
    }
