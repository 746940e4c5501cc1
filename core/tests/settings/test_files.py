"""kernel.toml and pyproject.toml: found, named, read, refused."""

import pytest

from kernel.errors import ImproperlyConfigured, UnknownSetting

FULL = """
[kernel]
broker_url = ["memory://a", "memory://b"]
worker_concurrency = 2
task_time_limit = 10
result_backend_max_retries = inf
accept_content = ["json", "yaml"]

[kernel.task_routes]
"tasks.add" = "low-priority"

[kernel.task_annotations."tasks.add"]
rate_limit = "10/m"

[kernel.task_publish_retry_policy]
max_retries = 5

[[kernel.task_queues]]
name = "a"
"""


def test_all_kinds_of_values(make, tmp_path):
    (tmp_path / "kernel.toml").write_text(FULL)
    conf = make()
    assert conf.broker_url == ("memory://a", "memory://b")
    assert (conf.worker_concurrency, conf.task_time_limit) == (2, 10.0)
    assert conf.accept_content == ("json", "yaml")
    assert conf.task_routes == {"tasks.add": "low-priority"}
    assert conf.task_annotations == {"tasks.add": {"rate_limit": "10/m"}}
    assert conf.task_publish_retry_policy["max_retries"] == 5
    assert conf.task_queues == ({"name": "a"},)
    assert conf.origin("broker_url") == "kernel.toml"


def test_pyproject(make, tmp_path):
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n[tool.kernel]\nenable_utc = false\n")
    conf = make()
    assert conf.enable_utc is False
    assert conf.origin("enable_utc") == "pyproject.toml [tool.kernel]"


@pytest.mark.parametrize("content", ["", "[project]\nname = 'x'\n", "[tool.ruff]\n"])
def test_a_pyproject_without_our_table_is_not_ours(content, make, tmp_path):
    (tmp_path / "pyproject.toml").write_text(content)
    assert make().table() == {}


def test_an_empty_kernel_toml_is_fine(make, tmp_path):
    (tmp_path / "kernel.toml").write_text("")
    assert make().table() == {}


def test_a_named_file_replaces_the_search(make, tmp_path):
    (tmp_path / "kernel.toml").write_text("[kernel]\ntask_serializer = 'found'\n")
    (tmp_path / "other.toml").write_text("[kernel]\ntask_serializer = 'named'\n")
    by_variable = make(KERNEL_CONFIG="other.toml")
    assert by_variable.task_serializer == "named"
    assert by_variable.origin("task_serializer") == "other.toml, named by KERNEL_CONFIG"
    by_option = make(KERNEL_CONFIG="nowhere.toml")
    by_option.use_file(tmp_path / "other.toml")
    assert by_option.task_serializer == "named"
    assert by_option.origin("task_serializer") == f"{tmp_path / 'other.toml'}, named by --config"


def test_without_files_none_is_looked_for_but_a_named_one_is_read(make, tmp_path):
    (tmp_path / "kernel.toml").write_text("[kernel]\ntask_serializer = 'found'\n")
    conf = make(use_files=False, KERNEL_CONFIG="kernel.toml")
    assert conf.task_serializer == "json"
    conf.use_file(tmp_path / "kernel.toml")
    assert conf.task_serializer == "found"


def test_a_named_pyproject(make, tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "pyproject.toml").write_text("[tool.kernel]\nenable_utc = false\n")
    assert make(KERNEL_CONFIG="sub/pyproject.toml").enable_utc is False


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("kernel.toml", "[kernel\n", "The configuration file kernel.toml is no valid TOML: "),
        ("kernel.toml", "task_serializer = 'x'\n", "'task_serializer' stands outside the table [kernel]."),
        ("kernel.toml", "[kernal]\na = 1\n", "'kernal' stands outside the table [kernel]. Did you mean 'kernel'?"),
        ("kernel.toml", "kernel = 3\n", "The configuration file kernel.toml has no table [kernel]."),
        ("kernel.toml", "[kernel]\ntask_serialiser = 'x'\n", "no setting task_serialiser (kernel.toml). Did you mean"),
        ("kernel.toml", "[kernel]\nworker_concurrency = 'x'\n", "worker_concurrency = 'x' (kernel.toml) must be"),
        ("kernel.toml", "[kernel]\ntask_time_limit = 1979-05-27\n", "task_time_limit = datetime.date(1979, 5, 27)"),
        ("pyproject.toml", "[tool.kernel]\nx = 1\n", "There is no setting x (pyproject.toml [tool.kernel])."),
        ("pyproject.toml", "[tool]\nkernel = 1\n", "The configuration file pyproject.toml has no table [tool.kernel]."),
        ("pyproject.toml", "tool = 1\n[kernel]\n", None),
    ],
)
def test_what_is_refused(name, content, says, make, tmp_path):
    (tmp_path / name).write_text(content)
    if says is None:
        assert make().table() == {}
        return
    with pytest.raises(ImproperlyConfigured) as caught:
        make().snapshot()
    assert says in caught.value.one_line()


def test_files_that_are_not_there_or_not_files(make, tmp_path):
    with pytest.raises(ImproperlyConfigured, match=r"no\.toml, named by KERNEL_CONFIG cannot be read: No such file"):
        make(KERNEL_CONFIG="no.toml").snapshot()
    with pytest.raises(ImproperlyConfigured, match="cannot be read: Is a directory"):
        make(KERNEL_CONFIG=str(tmp_path)).snapshot()
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ImproperlyConfigured, match=r"binary\.toml, named by KERNEL_CONFIG is not UTF-8 text"):
        make(KERNEL_CONFIG="binary.toml").snapshot()
    (tmp_path / "empty.toml").write_text("")
    with pytest.raises(ImproperlyConfigured, match="has no table"):
        make(KERNEL_CONFIG="empty.toml").snapshot()


def test_an_unknown_key_is_an_attribute_error_too(make, tmp_path):
    (tmp_path / "kernel.toml").write_text("[kernel]\nworker_prefetch_multiplier = 4\n")
    with pytest.raises(UnknownSetting, match="does not act on"):
        make().snapshot()
