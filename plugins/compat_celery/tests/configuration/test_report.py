"""``config``: one line for each setting, and an exit code that says whether anything has no effect."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from kernel.cli.exits import Exit
from plugin_compat_celery.adapter.configuration.report import config_command

GOOD = """
import ssl
broker_url = "redis://:only-a-test@h/1"
broker_use_ssl = {"ssl_cert_reqs": ssl.CERT_NONE}
task_serializer = "json"
"""


class Folder:
    """Where configurations are written to and shown from."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __call__(self, name: str, text: str, *words: str) -> Result:
        (self.path / f"{name}.py").write_text(text)
        return CliRunner().invoke(config_command, [name, *words])


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    monkeypatch.syspath_prepend(tmp_path)
    return Folder(tmp_path)


def test_each_setting_has_its_verdict(run: Folder) -> None:
    done = run("compat_config_good", GOOD, "--output", "json")
    assert done.exit_code == 0, done.output
    rows = {row["name"]: row for row in json.loads(done.stdout)}
    assert {name: row["verdict"] for name, row in rows.items()} == {
        "broker_url": "translated",
        "broker_use_ssl": "translated",
        "broker_use_ssl.ssl_cert_reqs": "translated",
        "task_serializer": "taken",
    }
    assert rows["broker_url"]["value"] == "redis://:********@h/1"


def test_text_is_a_table_with_a_total_and_without_secrets(run: Folder) -> None:
    done = run("compat_config_text", GOOD)
    assert "1 taken, 3 translated" in done.stdout
    assert "only-a-test" not in done.stdout


def test_a_setting_without_an_effect_is_exit_code_78(run: Folder) -> None:
    done = run("compat_config_bad", "worker_deduplicate_successful_tasks = True\n")
    assert done.exit_code == Exit.CONFIG
    assert "not supported" in done.stdout
    assert "make it idempotent" in done.stdout


def test_a_namespace_is_that_of_django(run: Folder) -> None:
    done = run(
        "compat_config_django", "CELERY_TIMEZONE = 'UTC'\nDEBUG = True\n", "--namespace", "CELERY", "--output", "json"
    )
    assert [row["name"] for row in json.loads(done.stdout)] == ["timezone"]


def test_settings_are_shown_by_the_names_they_were_given_by(run: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CELERY_BROKER_URL", "redis://h")
    text = "BROKER_URL = 'redis://other'\nCELERYD_CONCURRENCY = 4\n"
    done = run("compat_config_old", text, "--output", "json")
    given = {row["name"]: row["given"] for row in json.loads(done.stdout)}
    assert given == {"broker_url": "CELERY_BROKER_URL", "worker_concurrency": "CELERYD_CONCURRENCY"}
    assert "Today worker_concurrency." in run("compat_config_old", text).stdout
    django = run("compat_config_in_django", "CELERY_TIMEZONE = 'UTC'\n", "--namespace", "CELERY")
    assert "CELERY_TIMEZONE" in django.stdout


def test_without_anything_to_show_it_says_what_to_name() -> None:
    done = CliRunner().invoke(config_command, [])
    assert "There is no configuration of Celery to show" in str(done.exception)
