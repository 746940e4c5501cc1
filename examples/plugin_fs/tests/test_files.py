"""What the suite cannot know: the files, the URL, and a real worker on them."""

from pathlib import Path

import pytest
from plugin_broker_fs import plugin as module

from kernel import Kernel
from kernel.contracts import Deadline, Outgoing, PluginContext, Settle, SettleKind
from kernel.errors import Code, DriverError
from kernel.model.topology import QueueSpec
from kernel.testing import start_worker


def soon():
    return Deadline.after(10)


@pytest.fixture
def broker(tmp_path):
    with module.FsBroker(f"fs://{tmp_path}/jobs", {}, PluginContext()) as made:
        made.declare([QueueSpec("q", lease_s=5)], soon())
        yield made


def test_the_module_is_as_short_as_the_guide_says():
    assert len(Path(module.__file__).read_text().splitlines()) <= 120


@pytest.mark.parametrize("url", ["fs://", "fs:///", "fs://host/folder"])
def test_urls_that_name_no_folder(url):
    with pytest.raises(DriverError, match="names no folder") as caught:
        module.FsBroker(url, {}, PluginContext())
    assert caught.value.code is Code.INVALID


def test_a_message_is_a_file_whose_name_tells_its_story(broker, tmp_path):
    folder = tmp_path / "jobs/q"

    def suffixes():
        return [file.name.split(".", 1)[1] for file in folder.iterdir() if file.name[0] != "."]

    assert broker.publish([Outgoing("q", b"x", {}, "1")], soon())[0].ok
    assert suffixes() == ["0.r"]
    consumer = broker.consumer(["q"], 0)
    [first] = consumer.receive(1, 0)
    assert suffixes() == ["1.h"]
    assert consumer.settle([Settle(first, SettleKind.RELEASE)], soon())[0].ok
    assert suffixes() == ["1.r"]
    [second] = consumer.receive(1, 0)
    assert suffixes() == ["2.h"]
    late, done = consumer.settle([Settle(first, SettleKind.ACK), Settle(second, SettleKind.ACK)], soon())
    assert (late.error.code, done.ok) == (Code.LEASE_LOST, True)
    assert suffixes() == []


def test_folders_do_not_expire(broker):
    with pytest.raises(DriverError, match="expires_s") as caught:
        broker.declare([QueueSpec("other", expires_s=60)], soon())
    assert caught.value.code is Code.UNSUPPORTED


def test_deleting_leaves_nothing(broker, tmp_path):
    broker.publish([Outgoing("q", b"x", {}, "1")], soon())
    broker.delete(["q", "q", "none"], soon())
    assert list((tmp_path / "jobs").iterdir()) == []


def test_a_worker_on_files(tmp_path):
    app = Kernel(
        "files",
        broker_url=f"fs://{tmp_path}/jobs",
        result_backend="memory://files",
        plugins=["broker.fs"],
        set_as_current=False,
    )

    @app.task
    def add(x, y):
        return x + y

    @app.task(max_retries=2, default_retry_delay=0.01, bind=True)
    def stubborn(self):
        if self.request.retries < 2:
            raise self.retry()
        return self.request.retries

    with start_worker(app):
        assert add.delay(2, 3).get(timeout=30) == 5
        assert stubborn.delay().get(timeout=30) == 2
        assert add.apply_async((1, 1), countdown=0.2).get(timeout=30) == 2
    assert not list(tmp_path.rglob("*.[hr]"))
