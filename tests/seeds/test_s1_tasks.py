"""S1, "User Guide: Tasks". Which block is which test:

======================================================  ===================================================
S1, heading                                             test
======================================================  ===================================================
Tasks: acks before running                              test_a_task_that_was_begun_does_not_run_again
Basics, both blocks                                     test_create_user
Bound tasks                                             test_a_bound_task
Task inheritance                                        test_on_failure_of_a_base
Names                                                   test_a_name
Automatic naming and relative imports: MyCelery         test_my_kernel
Task Request, the list of attributes                    test_the_attributes_of_a_request
Task Request: dump_context                              test_dump_context
Logging                                                 test_a_task_logger
Argument checking, both blocks                          test_arguments_are_checked, test_typing_off
Retrying: send_twitter_status                           test_send_twitter_status
using a custom retry delay                              test_a_delay_of_its_own
automatic retry for known exceptions                    test_refresh_timeline
List of Options                                         test_the_options_of_a_task
States                                                  test_s0_calling.py
Ignore: some_task, get_tweets                           test_some_task, test_get_tweets
Reject: render_scene                                    test_render_scene, test_render_scene_of_any_other_error
Custom task classes: _AddTask                           test_a_class_is_not_registered_by_itself
Instantiation: NaiveAuthenticateServer                  test_naive_authenticate_server
Instantiation: DatabaseTask                             test_database_task
handlers                                                test_handlers
Requests and custom requests: MyRequest, MyTask         test_my_request
Tips: ignore results                                    test_ignored_results
Tips: ``mytask.apply_async(1, 2, ...)``                 test_arguments_are_a_tuple
Tips: Avoid launching synchronous subtasks, both        test_a_task_does_not_wait_for_a_task, test_a_chain_instead
======================================================  ===================================================

Wrong there (features.md 1.31): ``is_eager`` means run by ``apply()``; ``timelimit`` is (hard, soft); the names are
``delivery_info``, ``reply_to`` and ``errbacks``; classes are registered by ``app.register_task``.
"""

import errno
import logging
from types import SimpleNamespace

import pytest

from kernel import Kernel, Task, states
from kernel.exceptions import Ignore, NotRegistered, Reject
from kernel.utils.log import get_task_logger


class FakeUser:
    """Stands for a model of the web framework in the example."""

    created = []

    class objects:
        @staticmethod
        def create(**fields):
            FakeUser.created.append(fields)


def test_create_user(app, worker):
    FakeUser.created.clear()

    @app.task
    def create_user(username, password):
        FakeUser.objects.create(username=username, password=password)

    @app.task(serializer="json", name="create_user_json")
    def create_user_json(username, password):
        FakeUser.objects.create(username=username, password=password)

    with worker(app):
        assert create_user.delay("george", "one").get(timeout=20) is None
        assert create_user_json.delay("ringo", password="two").get(timeout=20) is None
    assert FakeUser.created == [
        {"username": "george", "password": "one"},
        {"username": "ringo", "password": "two"},
    ]
    assert create_user_json.serializer == "json"


def test_a_task_that_was_begun_does_not_run_again(app, worker):
    runs = []

    @app.task
    def leaves():
        runs.append(1)
        raise SystemExit(3)

    with worker(app):
        result = leaves.delay()
        assert isinstance(result.get(timeout=20, propagate=False), BaseException)
    with worker(app):
        pass
    assert runs == [1]


def test_a_bound_task(app, worker, caplog):
    logger = get_task_logger(__name__)

    @app.task(bind=True)
    def add(self, x, y):
        logger.info(self.request.id)
        return self.request.id

    with caplog.at_level(logging.INFO), worker(app):
        result = add.delay(2, 2)
        assert result.get(timeout=20) == result.id
    assert result.id in [record.getMessage() for record in caplog.records]


def test_on_failure_of_a_base(app, worker):
    printed = []

    class MyTask(Task):
        def on_failure(self, exc, task_id, args, kwargs, einfo):
            printed.append("{0!r} failed: {1!r}".format(task_id, exc))

    @app.task(base=MyTask)
    def add(x, y):
        raise KeyError()

    with worker(app):
        result = add.delay(1, 2)
        with pytest.raises(KeyError):
            result.get(timeout=20)
    assert printed == [f"{result.id!r} failed: KeyError()"]


def test_a_name(app):
    @app.task(name="sum-of-two-numbers")
    def add(x, y):
        return x + y

    assert add.name == "sum-of-two-numbers"
    assert app.tasks["sum-of-two-numbers"] is add


def test_my_kernel(make_app, module):
    class MyKernel(Kernel):
        def gen_task_name(self, name, module):
            if module.endswith(".tasks"):
                module = module[:-6]
            return super().gen_task_name(name, module)

    app = make_app("main", cls=MyKernel)

    def taskA():
        pass

    taskA.__module__ = "moduleA.tasks"
    assert app.task(taskA).name == "moduleA.taskA"


NAMES = """
    id group chord correlation_id args kwargs origin retries is_eager eta expires hostname delivery_info reply_to
    called_directly timelimit callbacks errbacks utc headers root_id parent_id chain
"""


def test_the_attributes_of_a_request(app, worker):
    seen = {}

    @app.task(bind=True, soft_time_limit=20)
    def show(self, x, y):
        seen.update({name: getattr(self.request, name) for name in NAMES.split()})

    with worker(app):
        result = show.apply_async((1,), {"y": 2}, headers={"mine": "yes"})
        result.get(timeout=20)
    assert seen["id"] == seen["correlation_id"] == seen["root_id"] == result.id
    assert (list(seen["args"]), seen["kwargs"]) == ([1], {"y": 2})
    assert (seen["retries"], seen["is_eager"], seen["called_directly"]) == (0, False, False)
    assert tuple(seen["timelimit"]) == (None, 20)
    assert {"exchange", "routing_key", "priority", "redelivered"} <= set(seen["delivery_info"])
    assert seen["delivery_info"]["routing_key"] == "kernel"
    assert seen["headers"] == {"mine": "yes"}
    assert seen["origin"]
    assert seen["hostname"]
    assert seen["utc"] is True
    assert not any(seen[name] for name in ("group", "chord", "eta", "expires", "parent_id", "callbacks", "errbacks"))


def test_dump_context(app, worker):
    printed = []

    @app.task(bind=True)
    def dump_context(self, x, y):
        printed.append("Executing task id {0.id}, args: {0.args!r} kwargs: {0.kwargs!r}".format(self.request))

    with worker(app):
        result = dump_context.delay(1, y=2)
        result.get(timeout=20)
    (line,) = printed
    assert line.startswith(f"Executing task id {result.id}, args: ")
    assert line.endswith("kwargs: {'y': 2}")


def test_a_plain_call_is_called_directly(app):
    @app.task(bind=True)
    def add(self, x, y):
        assert self.request.called_directly is True
        return x + y

    assert add(2, 2) == 4


def test_a_task_logger(app, worker, caplog):
    logger = get_task_logger("proj.tasks")

    @app.task
    def add(x, y):
        logger.info("Adding {0} + {1}".format(x, y))
        return x + y

    with caplog.at_level(logging.INFO), worker(app):
        assert add.delay(2, 3).get(timeout=20) == 5
    assert "Adding 2 + 3" in [record.getMessage() for record in caplog.records if record.name == "proj.tasks"]


def test_arguments_are_checked(app, worker):
    @app.task
    def add(x, y):
        return x + y

    with worker(app):
        assert add.delay(8, 8).get(timeout=20) == 16
    with pytest.raises(TypeError, match=r"add\(\) missing 1 required positional argument: 'y'"):
        add.delay(8)
    with pytest.raises(TypeError, match="unexpected keyword argument 'z'"):
        add.delay(8, z=8)


def test_typing_off(app, worker):
    @app.task(typing=False)
    def add(x, y):
        return x + y

    with worker(app):
        # Works locally, but the worker receiving the task will raise an error.
        with pytest.raises(TypeError):
            add.delay(8).get(timeout=20)


class FailWhaleError(Exception):
    """The service is over capacity."""


class LoginError(Exception):
    """The service did not know the user."""


class FakeTwitter:
    """Fails as often as it is told to, then works."""

    FailWhaleError = FailWhaleError
    LoginError = LoginError
    failures = 0
    timelines = 0
    updates = []

    def __init__(self, oauth):
        self.oauth = oauth

    def update_status(self, tweet):
        if FakeTwitter.failures:
            FakeTwitter.failures -= 1
            raise FailWhaleError("over capacity")
        FakeTwitter.updates.append(tweet)

    @classmethod
    def refresh_timeline(cls, user):
        if cls.failures:
            cls.failures -= 1
            raise FailWhaleError("over capacity")
        return [user]

    @staticmethod
    def get_timeline(user):
        return [f"{user} was here"]


@pytest.fixture
def Twitter():
    FakeTwitter.failures = 0
    FakeTwitter.updates = []
    return FakeTwitter


def test_send_twitter_status(app, worker, until, Twitter):
    @app.task(bind=True)
    def send_twitter_status(self, oauth, tweet):
        try:
            twitter = Twitter(oauth)
            twitter.update_status(tweet)
        except (Twitter.FailWhaleError, Twitter.LoginError) as exc:
            raise self.retry(exc=exc)

    Twitter.failures = 1
    with worker(app):
        later = send_twitter_status.delay("oauth", "in three minutes")
        until(lambda: later.state == "RETRY")
        assert isinstance(later.result, FailWhaleError)
        assert not later.ready()
        assert send_twitter_status.default_retry_delay == 180

        send_twitter_status.default_retry_delay = 0.1
    Twitter.failures = 2
    with worker(app):
        soon = send_twitter_status.delay("oauth", "soon")
        assert soon.get(timeout=20) is None
        assert Twitter.updates == ["soon"]
        Twitter.failures = 10
        never = send_twitter_status.delay("oauth", "never")
        with pytest.raises(FailWhaleError):
            never.get(timeout=20)
    assert Twitter.failures == 10 - 4  # once, and three retries


def test_a_retry_keeps_its_id_and_its_queue(app, worker):
    runs = []

    @app.task(bind=True)
    def again(self):
        runs.append((self.request.id, self.request.retries, self.request.delivery_info["routing_key"]))
        if not self.request.retries:
            raise self.retry(countdown=0)

    with worker(app, queues=["lopri"]):
        result = again.apply_async(queue="lopri")
        result.get(timeout=20)
    assert runs == [(result.id, 0, "lopri"), (result.id, 1, "lopri")]


def test_a_delay_of_its_own(app, worker, until):
    def something_raising():
        raise ValueError("bad")

    @app.task(bind=True, default_retry_delay=30 * 60)  # retry in 30 minutes.
    def add(self, x, y):
        try:
            something_raising()
        except Exception as exc:
            # overrides the default delay to retry after 1 minute
            raise self.retry(exc=exc, countdown=60)

    with worker(app):
        result = add.delay(2, 2)
        until(lambda: result.state == "RETRY")
        assert isinstance(result.result, ValueError)
    with pytest.raises(ValueError, match="bad"):
        add(2, 2)


def test_refresh_timeline(app, worker, until, Twitter):
    @app.task(autoretry_for=(FailWhaleError,), default_retry_delay=0.1)
    def refresh_timeline(user):
        return Twitter.refresh_timeline(user)

    Twitter.failures = 2
    with worker(app):
        assert refresh_timeline.delay("george").get(timeout=20) == ["george"]


OPTIONS = """
    name request max_retries throws default_retry_delay rate_limit time_limit soft_time_limit ignore_result
    store_errors_even_if_ignored serializer compression backend acks_late track_started
"""


def test_the_options_of_a_task(app):
    @app.task
    def plain():
        pass

    for name in OPTIONS.split():
        getattr(plain, name)
    assert (plain.max_retries, plain.throws, plain.default_retry_delay, plain.rate_limit) == (3, (), 180, None)
    assert (plain.autoretry_for, plain.retry_backoff, plain.retry_backoff_max, plain.retry_jitter) == (
        (),
        False,
        600,
        True,
    )


def test_some_task(app, worker, queues):
    revoked = set()
    redis = SimpleNamespace(ismember=lambda key, member: member in revoked)
    runs = []

    @app.task(bind=True)
    def some_task(self):
        runs.append(self.request.id)
        if redis.ismember("tasks.revoked", self.request.id):
            raise Ignore()
        return "done"

    revoked.add("unwanted")
    with worker(app):
        ignored = some_task.apply_async(task_id="unwanted")
        assert some_task.delay().get(timeout=20) == "done"
    assert "unwanted" in runs
    assert ignored.state == "PENDING"
    assert queues(app).depth("kernel") == 0


def test_get_tweets(app, worker, Twitter):
    @app.task(bind=True)
    def get_tweets(self, user):
        timeline = Twitter.get_timeline(user)
        if not self.request.called_directly:
            self.update_state(state=states.SUCCESS, meta=timeline)
        raise Ignore()

    with worker(app):
        result = get_tweets.delay("george")
        assert result.get(timeout=20) == ["george was here"]
    assert result.state == "SUCCESS"
    with pytest.raises(Ignore):
        get_tweets("george")


class Renderer:
    """Raises what it is told to."""

    error = None

    def render_scene(self, file):
        if self.error is not None:
            raise self.error


@pytest.fixture
def render(app):
    renderer = Renderer()

    def get_file(path):
        return path

    @app.task(bind=True, acks_late=True)
    def render_scene(self, path):
        file = get_file(path)
        try:
            renderer.render_scene(file)

        # if the file is too big to fit in memory
        # we reject it so that it's redelivered to the dead letter exchange
        # and we can manually inspect the situation.
        except MemoryError as exc:
            raise Reject(exc, requeue=False)
        except OSError as exc:
            if exc.errno == errno.ENOMEM:
                raise Reject(exc, requeue=False)

        # For any other error we retry after 10 seconds.
        except Exception as exc:
            raise self.retry(exc, countdown=10)

    return SimpleNamespace(renderer=renderer, task=render_scene)


@pytest.mark.parametrize("error", [MemoryError("too big"), OSError(errno.ENOMEM, "too big")])
def test_render_scene(app, render, worker, until, error, queues):
    render.renderer.error = error
    with worker(app):
        result = render.task.delay("scene")
        until(lambda: queues(app).depth("kernel.quarantine") == 1)
        render.renderer.error = None
        assert render.task.delay("small").get(timeout=20) is None
    assert result.state == "FAILURE"
    assert queues(app).depth("kernel") == 0


def test_render_scene_of_any_other_error(app, render, worker, until):
    render.renderer.error = RuntimeError("no light")
    with worker(app):
        result = render.task.delay("scene")
        until(lambda: result.state == "RETRY")
        assert isinstance(result.result, RuntimeError)


def test_a_class_is_not_registered_by_itself(app, worker):
    class _AddTask(app.Task):
        def run(self, x, y):
            return x + y

    with pytest.raises(NotRegistered):
        app.tasks[_AddTask.name]
    app.register_task(_AddTask())
    add = app.tasks[_AddTask.name]
    with worker(app):
        assert add.delay(2, 2).get(timeout=20) == 4


def test_naive_authenticate_server(app, worker):
    made = []

    class NaiveAuthenticateServer(Task):
        def __init__(self):
            made.append(self)
            self.users = {"george": "password"}

        def run(self, username, password):
            try:
                return self.users[username] == password
            except KeyError:
                return False

    authenticate = app.register_task(NaiveAuthenticateServer())
    with worker(app):
        assert authenticate.delay("george", "password").get(timeout=20) is True
        assert authenticate.delay("george", "other").get(timeout=20) is False
        assert authenticate.delay("ringo", "password").get(timeout=20) is False
    assert len(made) == 1


def test_database_task(app, worker):
    connections = []
    Database = SimpleNamespace(connect=lambda: connections.append(object()) or connections[-1])

    class DatabaseTask(Task):
        _db = None

        @property
        def db(self):
            if self._db is None:
                self._db = Database.connect()
            return self._db

    @app.task(base=DatabaseTask, bind=True)
    def process_rows(self):
        return self.db is connections[0]

    with worker(app, concurrency=1):
        assert [process_rows.delay().get(timeout=20) for _ in range(3)] == [True, True, True]
    assert len(connections) == 1


@pytest.fixture
def noting():
    """A base class that notes the calls of its handlers, and the notes."""
    calls = []

    class Noting(Task):
        def before_start(self, task_id, args, kwargs):
            calls.append(("before_start", task_id))

        def on_success(self, retval, task_id, args, kwargs):
            calls.append(("on_success", retval))

        def on_failure(self, exc, task_id, args, kwargs, einfo):
            calls.append(("on_failure", type(exc)))

        def on_retry(self, exc, task_id, args, kwargs, einfo):
            calls.append(("on_retry", type(exc)))

        def after_return(self, status, retval, task_id, args, kwargs, einfo):
            calls.append(("after_return", status))

    return Noting, calls


def test_handlers(app, worker, noting):
    base, calls = noting

    @app.task(base=base, bind=True)
    def divide(self, x, y):
        if x < 0 and not self.request.retries:
            raise self.retry(exc=ArithmeticError(), countdown=0)
        return x / y

    def run(*args):
        calls.clear()
        result = divide.delay(*args)
        result.get(timeout=20, propagate=False)
        return result.id

    with worker(app, concurrency=1):
        done = run(4, 2)
        divide.delay(1, 1).get(timeout=20)  # what follows the result of the one before has happened by now
        assert calls[:3] == [("before_start", done), ("on_success", 2.0), ("after_return", "SUCCESS")]
        failed = run(1, 0)
        divide.delay(1, 1).get(timeout=20)
        assert calls[:3] == [("before_start", failed), ("on_failure", ZeroDivisionError), ("after_return", "FAILURE")]
        run(-4, 2)
        divide.delay(1, 1).get(timeout=20)
        assert [name for name, _ in calls[:6]] == [
            "before_start",
            "on_retry",
            "after_return",
            "before_start",
            "on_success",
            "after_return",
        ]
        assert calls[1:3] == [("on_retry", ArithmeticError), ("after_return", "RETRY")]


MY_PACKAGE = """
    import logging
    import time
    from kernel import Kernel, Task
    from kernel.worker.request import Request

    logger = logging.getLogger('my.package')
    app = Kernel('proj', broker='sqlite:///kernel.sqlite3', backend='sqlite:///kernel.sqlite3')

    class MyRequest(Request):
        'A minimal custom request to log failures and hard time limits.'

        def on_timeout(self, soft, timeout):
            super(MyRequest, self).on_timeout(soft, timeout)
            if not soft:
               logger.warning(
                   'A hard timeout was enforced for task %s',
                   self.task.name
               )

        def on_failure(self, exc_info, send_failed_event=True, return_ok=False):
            super().on_failure(
                exc_info,
                send_failed_event=send_failed_event,
                return_ok=return_ok
            )
            logger.warning(
                'Failure detected for task %s',
                self.task.name
            )

    class MyTask(Task):
        Request = {request}

    @app.task(base=MyTask, time_limit=1)
    def some_longrunning_task():
        time.sleep(60)

    @app.task(base=MyTask)
    def failing_task():
        raise ValueError('bad')
"""


@pytest.mark.parametrize("request_class", ["MyRequest", "'my_package:MyRequest'"])
def test_my_request(module, run_worker, until, request_class):
    module("my_package.py", MY_PACKAGE.replace("{request}", request_class))
    import my_package

    from kernel.exceptions import TimeLimitExceeded

    with my_package.app, run_worker("-A", "my_package", "worker", "-l", "INFO", "-c", "1") as started:
        with pytest.raises(ValueError, match="bad"):
            my_package.failing_task.delay().get(timeout=30)
        until(lambda: "Failure detected for task my_package.failing_task" in started.log())
        with pytest.raises(TimeLimitExceeded):
            my_package.some_longrunning_task.delay().get(timeout=30)
        until(lambda: "A hard timeout was enforced for task my_package.some_longrunning_task" in started.log())


def test_ignored_results(app, worker):
    done = []

    @app.task(ignore_result=True)
    def mytask():
        done.append(1)
        return "nobody asked"

    @app.task(name="add")
    def add(x, y):
        return x + y

    with worker(app, concurrency=1):
        unwanted = mytask.delay()
        assert unwanted.get(timeout=20) is None

        # No result will be stored
        result = add.apply_async((1, 2), ignore_result=True)
        assert result.get(timeout=20) is None

        # Result will be stored
        kept = add.apply_async((1, 2), ignore_result=False)
        assert kept.get(timeout=20) == 3
    assert done == [1]
    assert app.AsyncResult(unwanted.id).state == "PENDING"
    assert app.AsyncResult(result.id).state == "PENDING"


def test_arguments_are_a_tuple(app):
    @app.task
    def mytask(x, y):
        return x + y

    with pytest.raises(TypeError):
        mytask.apply_async(1, 2, ignore_result=True)


@pytest.fixture
def pages(app):
    """The tasks of the page example, both ways."""
    stored = []

    @app.task
    def fetch_page(url):
        return f"<{url}>"

    @app.task
    def parse_page(page):
        return page.strip("<>").upper()

    @app.task(ignore_result=True)
    def store_page_info(info, url):
        stored.append((url, info))

    return SimpleNamespace(fetch=fetch_page, parse=parse_page, store=store_page_info, stored=stored)


def test_a_task_does_not_wait_for_a_task(app, pages, worker):
    @app.task
    def update_page_info(url):
        page = pages.fetch.delay(url).get()
        info = pages.parse.delay(page).get()
        pages.store.delay(info, url)

    with worker(app, concurrency=2), pytest.raises(RuntimeError, match=r"[Nn]ever"):
        update_page_info.delay("http://example").get(timeout=20)


def test_a_chain_instead(app, pages, worker, until):
    def update_page_info(url):
        # fetch_page -> parse_page -> store_page
        chain = pages.fetch.s(url) | pages.parse.s() | pages.store.s(url)
        chain()

    with worker(app):
        update_page_info("http://example")
        until(lambda: pages.stored)
    assert pages.stored == [("http://example", "HTTP://EXAMPLE")]
