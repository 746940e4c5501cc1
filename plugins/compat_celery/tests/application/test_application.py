"""One application, written for Celery, run by Celery 5.7 and by ours: what it sees is the same (features.md part 1).

Ours runs out of wheels, in an environment without Celery. Both run at once, each with a worker of its own on one Redis.
The table of sections stands at the top of ``proj/observe.py``; what is known to differ, and why, in ``known.py``.
"""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from kernel_conformance import provision
from kernel_conformance.servers.redis import RedisServer

from .known import DIFFERENCES, UNSTEADY
from .sides import HERE, PASSWORD, Side, lend_pytest
from .wheels import environment, installed

REQUIREMENTS = HERE.parents[3] / "requirements/interop.txt"
SECTIONS = [f"1.{number}" for number in range(1, 31)]
ROW = re.compile(r"\| (1\.\d+) \| ([^|]+) \| ([^|]+) \|")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    server = RedisServer(password=PASSWORD, fsync="everysec")
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def results(server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What each side saw, and what its tests said; all at once, since most of it is waiting."""
    url = server.url.removesuffix("/0")
    folders = {name: tmp_path_factory.mktemp(name) for name in ("celery", "kernel", "wheels", "lent")}
    lent = lend_pytest(folders["lent"] / "packages")
    celery = provision.venv("interop", REQUIREMENTS) / "python"
    with ThreadPoolExecutor(5) as pool:
        ours = pool.submit(environment, folders["wheels"])
        truth = Side("celery", celery, "celery", f"{url}/1", folders["celery"], [lent])
        running = {"celery": (pool.submit(truth.observe), pool.submit(truth.test))}
        python = ours.result()
        side = Side("kernel", python, "plugin_compat_celery", f"{url}/2", folders["kernel"], [lent])
        running["kernel"] = (pool.submit(side.observe), pool.submit(side.test))
        return {
            "seen": {name: seen.result() for name, (seen, _) in running.items()},
            "said": {name: said.result() for name, (_, said) in running.items()},
            "installed": installed(python, folders["wheels"]),
            "logs": [path.read_text(errors="replace") for path in folders["kernel"].glob("*.log")],
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
        if unsteady := UNSTEADY.get((section, name)):
            assert truth[name] in unsteady.celery, name
            assert ours[name] == unsteady.kernel, name
            continue
        known = DIFFERENCES.get((section, name))
        expected = (truth[name], truth[name]) if known is None else (known.celery, known.kernel)
        assert (truth[name], ours[name]) == expected, name


def test_known_differences_are_of_observations_that_exist(results: dict[str, Any]) -> None:
    assert all(name in results["seen"]["celery"][section] for section, name in [*DIFFERENCES, *UNSTEADY])


@pytest.mark.parametrize("side", ["celery", "kernel"])
def test_its_own_tests_pass(results: dict[str, Any], side: str) -> None:
    assert re.search(r"^10 passed in", results["said"][side], re.MULTILINE), results["said"][side][-3000:]


def test_ours_runs_where_no_celery_is_installed(results: dict[str, Any]) -> None:
    assert [line for line in results["installed"] if line.startswith("plugin-compat-celery==2026.")]
    assert not [line for line in results["installed"] if line.startswith("celery==")]


def test_no_password_is_printed(results: dict[str, Any]) -> None:
    assert not any(PASSWORD in text for text in results["logs"])
