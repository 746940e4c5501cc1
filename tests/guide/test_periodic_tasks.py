"""docs/periodic-tasks.md: its example runs, and says the same in Python and in TOML."""

import re
import tomllib
from datetime import timedelta
from pathlib import Path

import pytest

from kernel import Kernel
from kernel.beat import PersistentScheduler
from kernel.schedules import maybe_schedule

PAGE = (Path(__file__).parents[2] / "docs" / "periodic-tasks.md").read_text()


@pytest.fixture
def app(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    space: dict = {"__name__": "shop"}
    exec(compile(code, "periodic-tasks.md", "exec"), space)
    app = space["app"]
    assert isinstance(app, Kernel)
    app.conf.update(broker_url="memory://guide", result_backend=None)
    yield app
    app.close()


def test_the_example(app):
    scheduler = PersistentScheduler(app)
    assert set(scheduler.schedule) == {"every half minute", "every quarter", "on weekdays", "every hour"}
    assert scheduler.schedule["every hour"].schedule.run_every == timedelta(hours=1)
    assert scheduler.schedule["on weekdays"].task == "shop.report"
    scheduler.close()


def test_the_file_says_the_same(app):
    (text,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    written = tomllib.loads(text)["kernel"]
    assert written["timezone"] == app.conf.timezone
    for name, entry in written["beat_schedule"].items():
        same = app.conf.beat_schedule[name]
        assert maybe_schedule(entry["schedule"]) == maybe_schedule(same["schedule"])
        assert (entry["task"], tuple(entry["args"])) == (same["task"], same["args"])
        assert entry.get("options", {}) == same.get("options", {})
