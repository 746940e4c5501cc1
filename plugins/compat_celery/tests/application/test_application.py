"""One application, written for Celery, run by Celery 5.7 and by ours: what it sees is the same (features.md part 1).

Both run the whole of it at once, each with a worker of its own on one Redis: the table of its sections stands at the
top of ``proj/observe.py``. What is known to differ, with the reason, is in ``known.py``.
"""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from kernel_conformance import provision
from kernel_conformance.servers.redis import RedisServer

from .known import DIFFERENCES
from .sides import HERE, PASSWORD, Side, lend_pytest, of_kernel

REQUIREMENTS = HERE.parents[3] / "requirements/interop.txt"
SECTIONS = [f"1.{number}" for number in range(1, 31)]
ROW = re.compile(r"\| (1\.\d+) \| ([^|]+) \| ([^|]+) \|")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Side]]:
    python = provision.venv("interop", REQUIREMENTS) / "python"
    folders = {name: tmp_path_factory.mktemp(name) for name in ("celery", "kernel")}
    lent = lend_pytest(tmp_path_factory.mktemp("lent") / "packages")
    server = RedisServer(password=PASSWORD, fsync="everysec")
    server.start()
    url = server.url.removesuffix("/0")
    yield {
        "celery": Side("celery", python, "celery", f"{url}/1", folders["celery"], [lent]),
        "kernel": of_kernel(f"{url}/2", folders["kernel"]),
    }
    server.stop()


@pytest.fixture(scope="module")
def results(sides: dict[str, Side]) -> dict[str, Any]:
    """What each side saw, and what its tests said; all at once, since most of it is waiting."""
    with ThreadPoolExecutor(4) as pool:
        seen = {name: pool.submit(side.observe) for name, side in sides.items()}
        said = {name: pool.submit(side.test) for name, side in sides.items()}
        return {
            what: {name: each.result() for name, each in found.items()}
            for what, found in (("seen", seen), ("said", said))
        }


def test_the_table_names_every_section_and_what_is_run_for_it() -> None:
    text = (HERE / "proj/observe.py").read_text()
    rows = {section: cases.strip() for section, _, cases in ROW.findall(text)}
    run = dict(re.findall(r'"(1\.\d+)": (\w+\.\w+),', text))
    assert list(rows) == list(run) == SECTIONS
    assert rows == {section: f"`{name}`" for section, name in run.items()}


@pytest.mark.parametrize("section", SECTIONS)
def test_what_the_application_sees_is_the_same(results: dict[str, Any], section: str) -> None:
    truth, ours = (results["seen"][name][section] for name in ("celery", "kernel"))
    assert truth, "nothing of this section is used"
    assert "error" not in truth, truth["error"]
    assert "error" not in ours, ours["error"]
    assert truth.keys() == ours.keys()
    for name in truth:
        known = DIFFERENCES.get((section, name))
        expected = (truth[name], truth[name]) if known is None else (known.celery, known.kernel)
        assert (truth[name], ours[name]) == expected, name


def test_known_differences_are_of_observations_that_exist(results: dict[str, Any]) -> None:
    assert all(name in results["seen"]["celery"][section] for section, name in DIFFERENCES)


@pytest.mark.parametrize("side", ["celery", "kernel"])
def test_its_own_tests_pass(results: dict[str, Any], side: str) -> None:
    assert re.search(r"^10 passed in", results["said"][side], re.MULTILINE), results["said"][side][-3000:]


def test_no_password_is_printed(results: dict[str, Any], sides: dict[str, Side]) -> None:
    printed = [path.read_text(errors="replace") for path in Path(sides["kernel"].folder).glob("*.log")]
    assert not any(PASSWORD in text for text in printed)
