"""URLs and options."""

import pytest

from kernel.contracts import Deadline, PluginContext
from kernel.errors import Code, DriverError
from plugin_backend_mongo.address import address
from plugin_backend_mongo.backend import MongoBackend

SECRET = "pa%2Fss"


@pytest.mark.parametrize(
    ("url", "namespace", "database"),
    [
        ("mongodb://h", "celery", "celery"),
        ("mongodb://", "my.app", "my_app"),
        ("mongodb://h:1,h:2/results?replicaSet=r", "celery", "results"),
        ("mongodb://user:pw@h/a%2Db.coll?authSource=admin", "celery", "a-b"),
        ("mongodb+srv://cluster.example.org/?tls=true", "kernel", "kernel"),
        ("mongodb://%2Ftmp%2Fm.sock/db", "celery", "db"),
    ],
)
def test_the_database_is_that_of_the_url_or_the_namespace(url, namespace, database):
    assert address(url, {}, namespace).database == database


def test_the_url_goes_to_the_client_unchanged_and_wins_over_options():
    url = f"mongodb://user:{SECRET}@h1:1,h2:2/db?replicaSet=r&serverSelectionTimeoutMS=50&MAXPOOLSIZE=7&w=majority"
    found = address(url, {"server_selection_s": 9.0, "max_pool_size": 3, "tls_ca": "ca.pem"}, "celery")
    assert found.url == url
    assert dict(found.settings) == {
        "connectTimeoutMS": 5000,
        "appname": "kernel",
        "retryReads": False,
        "tls": True,
        "tlsCAFile": "ca.pem",
    }
    assert found.selection_s == 0.05
    assert found.several
    assert found.streams
    assert "ss" not in repr(found.secrets).replace("pa%2Fss", "").replace("pa/ss", "")


@pytest.mark.parametrize(
    ("url", "several", "streams"),
    [
        ("mongodb://h", False, False),
        ("mongodb://h1,h2", True, False),
        ("mongodb://h/?replicaSet=r", True, True),
        ("mongodb+srv://h", True, True),
    ],
)
def test_capabilities_follow_the_url(url, several, streams):
    caps = MongoBackend(url, {}, PluginContext()).capabilities()
    assert (caps.cluster, caps.notify) == (several, streams)
    assert MongoBackend(url, {"change_streams": not streams}, PluginContext()).capabilities().notify is not streams


@pytest.mark.parametrize(
    ("namespace", "joins", "wanted"),
    [("celery", None, False), ("celery", True, True), ("kernel", None, True), ("kernel", False, False)],
)
def test_chords_of_a_namespace_shared_with_celery_are_not_counted(namespace, joins, wanted):
    backend = MongoBackend("mongodb://h", {"joins": joins}, PluginContext(namespace))
    assert backend.capabilities().join is wanted
    if not wanted:
        for call in (
            lambda: backend.join("j", "m", b"", 1, None, Deadline.after(1)),
            lambda: backend.joined("j", None, Deadline.after(1)),
        ):
            with pytest.raises(DriverError) as caught:
                call()
            assert caught.value.code is Code.UNSUPPORTED


@pytest.mark.parametrize(
    "url",
    [
        "mongo://h", "mongodb:h", "mongodb:///db", "mongodb://user:pw@/db", "mongodb://h/?w=0", "mongodb://h/?x",
        "mongodb://h/a$b", "mongodb://h/a b",
    ],
)  # fmt: skip
def test_wrong_urls_are_refused(url):
    with pytest.raises(DriverError) as caught:
        MongoBackend(url, {}, PluginContext())
    assert caught.value.code is Code.INVALID
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize(
    "options",
    [
        {"tombstone_s": 0}, {"tombstone_s": True},
        {"server_selection_s": 0}, {"server_selection_s": "1"}, {"max_pool_size": 0}, {"max_size": 0},
        {"max_size": 16 << 20}, {"database": "a/b"},
    ],
)  # fmt: skip
def test_wrong_options_are_refused(options):
    with pytest.raises(DriverError) as caught:
        MongoBackend("mongodb://h", options, PluginContext())
    assert caught.value.code is Code.INVALID


def test_the_password_is_shown_nowhere():
    backend = MongoBackend(f"mongodb://user:{SECRET}@127.0.0.1:1/db", {"server_selection_s": 0.1}, PluginContext())
    assert SECRET not in repr(backend)
    with pytest.raises(DriverError) as caught, backend:
        pass
    assert caught.value.code is Code.UNAVAILABLE
    for text in (str(caught.value), repr(caught.value)):
        assert SECRET not in text
        assert "pa/ss" not in text
    assert len(str(caught.value)) < 500
