"""Results of a worker of the kernel in Redis, pushed to who waits."""

import pytest

from kernel import Kernel
from kernel.testing import start_worker


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"result_compression": "gzip"},
        {
            "plugins": ["serializer.msgpack"],
            "result_serializer": "msgpack",
            "result_accept_content": ["msgpack", "json"],
        },
    ],
)
def test_values_failures_and_states_arrive(site, tmp_path, settings):
    broker = f"sqlite:///{tmp_path}/jobs.sqlite3"
    app = Kernel(
        "proj",
        broker=broker,
        backend=site.url,
        set_as_current=False,
        namespace="celery",
        result_extended=True,
        **settings,
    )

    @app.task
    def double(x):
        return {"twice": 2 * x, "text": "ü" * 100}

    @app.task
    def fail():
        raise ValueError("no", 7)

    @app.task(bind=True)
    def told(self):
        self.update_state(state="PROGRESS", meta={"done": 1})

    with app, start_worker(app, concurrency=2):
        assert double.delay(4).get(timeout=30) == {"twice": 8, "text": "ü" * 100}
        with pytest.raises(ValueError, match="no") as caught:
            fail.delay().get(timeout=30)
        assert caught.value.args == ("no", 7)
        result = told.delay()
        assert result.get(timeout=30) is None
        assert site.ask("EXISTS", f"celery-task-meta-{result.id}") == "1"
        result.forget()
        assert site.ask("EXISTS", f"celery-task-meta-{result.id}") == "0"
