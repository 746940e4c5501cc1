"""``kernel config show`` and ``kernel config schema``."""

import json
import tomllib
from types import NoneType

import pytest
from click.testing import CliRunner

from kernel.app.setting_table import SETTINGS
from kernel.cli.config import config_group
from kernel.errors import UnknownSetting


def run(conf, *arguments):
    result = CliRunner().invoke(config_group, arguments, obj=conf, catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_what_is_set_is_shown_in_columns(make):
    conf = make({"task_serializer": "yaml"}, KERNEL_WORKER_CONCURRENCY="2")
    assert run(conf, "show") == "task_serializer     'yaml'\nworker_concurrency  2\n"
    assert run(conf, "show", "--origin") == (
        "task_serializer     'yaml'  (constructor)\nworker_concurrency  2  (environment KERNEL_WORKER_CONCURRENCY)\n"
    )


def test_names_and_all(make):
    conf = make()
    assert run(conf, "show") == ""
    assert run(conf, "show", "timezone", "--origin") == "timezone  None  (default)\n"
    assert len(run(conf, "show", "--all").splitlines()) == len(SETTINGS)


def test_an_unknown_name(make):
    with pytest.raises(UnknownSetting, match="Did you mean 'timezone'"):
        run(make(), "show", "time_zone")


def test_json_has_no_value_that_json_lacks(make):
    values = json.loads(run(make(), "show", "--all", "--output", "json"), parse_constant=pytest.fail)
    assert set(values) == set(SETTINGS)
    assert values["result_backend_max_retries"] == "inf"


def test_the_schema_describes_every_setting():
    schema = json.loads(run(None, "schema"), parse_constant=pytest.fail)
    rows = schema["properties"]["kernel"]["properties"]
    assert schema["properties"]["kernel"]["additionalProperties"] is False
    assert set(rows) == set(SETTINGS)
    for name, row in rows.items():
        assert row["description"] == SETTINGS[name].doc
        assert row.get("type") or row.get("anyOf")
    assert rows["worker_concurrency"]["anyOf"] == [
        {"type": "integer", "minimum": 1},
        {"type": "string", "enum": ["auto"]},
    ]
    assert rows["task_acks_late"]["type"] == "boolean"
    assert rows["accept_content"]["items"] == {"type": "string"}


@pytest.mark.parametrize("name", [name for name, row in SETTINGS.items() if row.kinds != (NoneType,)])
def test_a_default_of_the_schema_can_stand_in_the_file(name, make, tmp_path):
    row = json.loads(run(None, "schema"))["properties"]["kernel"]["properties"][name]
    if "default" not in row or isinstance(row["default"], dict):
        return
    line = f"{name} = {json.dumps(row['default'])}"
    assert tomllib.loads(line)[name] == row["default"]
    (tmp_path / "kernel.toml").write_text(f"[kernel]\n{line}\n")
    assert make()[name] == SETTINGS[name].default
