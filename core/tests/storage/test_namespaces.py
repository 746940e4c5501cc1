"""Two namespaces on one result store do not meet, whatever their ids are."""

import pytest

from kernel.builtins.memory.backend import MemoryBackend
from kernel.builtins.sqlite.backend import SqliteBackend
from kernel.contracts import Deadline, PluginContext, Record, StoreMode


@pytest.mark.parametrize("names", [("kernel", "shop"), ("shop", "shop2"), ("a", "b")])
@pytest.mark.parametrize("record_id", ["x", "\x00x", "\x00shop\x00x", "\x00\x00shop\x00x", ""])
def test_ids_of_two_namespaces_never_meet(kind, url, names, record_id):
    made = [(MemoryBackend if kind == "memory" else SqliteBackend)(url, {}, PluginContext(name)) for name in names]
    soon = Deadline.after(20)
    for backend, name in zip(made, names, strict=True):
        backend.open(soon)
        backend.store([Record(record_id, "SUCCESS", name.encode())], StoreMode.UPSERT, soon)
    for other in ("x", "\x00x", "\x00\x00x"):
        if other != record_id:
            assert [backend.fetch([other], soon) for backend in made] == [[None], [None]]
    for backend, name in zip(made, names, strict=True):
        [found] = backend.fetch([record_id], soon)
        assert (found.id, found.result) == (record_id, name.encode())
    assert made[0].forget([record_id], soon) == 1
    assert made[1].fetch([record_id], soon) != [None]
    for backend in made:
        backend.close(soon)
