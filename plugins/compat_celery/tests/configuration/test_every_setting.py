"""No setting of the real Celery is without a row, a default and a name of old (features.md part 3)."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from kernel.app.celery_names import CELERY_ONLY
from kernel.app.setting_table import SETTINGS
from kernel_conformance import provision
from plugin_compat_celery.adapter.configuration.decisions import Draft, Verdict
from plugin_compat_celery.adapter.configuration.defaults import ALL, BESIDE, DEFAULTS
from plugin_compat_celery.adapter.configuration.names import NEW, OLD
from plugin_compat_celery.adapter.configuration.translate import ROWS, translate

REQUIREMENTS = Path(__file__).parents[4] / "requirements/interop.txt"
MAPPINGS = (
    "override_backends",
    "broker_transport_options",
    "mongodb_backend_settings",
    "result_backend_transport_options",
)
ASK = """
import json
from celery.app.defaults import DEFAULTS, _TO_NEW_KEY
print(json.dumps({"defaults": {name: repr(value) for name, value in DEFAULTS.items()}, "new": _TO_NEW_KEY}))
"""


@pytest.fixture(scope="module")
def celery() -> dict[str, Any]:
    """What the real Celery says of its settings."""
    python = provision.venv("interop", REQUIREMENTS) / "python"
    done = subprocess.run([python, "-c", ASK], capture_output=True, text=True, check=True, timeout=60)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_every_setting_of_the_real_celery_is_known_with_its_default(celery: dict[str, Any]) -> None:
    assert {name: repr(value) for name, value in DEFAULTS.items()} == celery["defaults"]


def test_every_name_of_old_is_known(celery: dict[str, Any]) -> None:
    assert celery["new"] == NEW
    assert len(OLD) == len(NEW)


def test_every_setting_has_a_row_of_its_own_or_one_that_the_kernel_answers_for() -> None:
    assert set(ROWS) == {*DEFAULTS, *BESIDE}
    for name in ALL:
        value = {"any": "value"} if name in MAPPINGS else "any value"
        (decision, *_) = translate({name: value}).decisions
        assert decision.verdict is not Verdict.UNKNOWN
        if decision.verdict is Verdict.UNSUPPORTED:
            assert decision.note.endswith((".", ":")), name
            assert len(decision.note) > 15, name
            assert "no such setting" not in decision.note, name


def test_what_the_kernel_has_is_taken_or_translated() -> None:
    """A default of Celery's that the kernel has a setting for arrives, and the kernel can work with it."""
    for name in sorted(DEFAULTS.keys() & SETTINGS.keys()):
        ruling = ROWS[name](Draft({name: DEFAULTS[name]}), name, DEFAULTS[name])
        assert ruling.verdict is not Verdict.UNSUPPORTED, name
    assert not set(SETTINGS) & set(CELERY_ONLY)


def test_a_setting_at_its_default_is_never_complained_about() -> None:
    assert translate(DEFAULTS).unsupported == ()
    assert translate(dict.fromkeys(BESIDE)).unsupported == ()
