"""Pools that grow and shrink, tell what runs, and give back single jobs."""

import itertools
import os
import time

import pytest
from pools_fakes import Ear, Factory, job

from kernel.builtins.pools.async_ import AsyncPool
from kernel.builtins.pools.prefork import PreforkPool
from kernel.builtins.pools.solo import SoloPool
from kernel.builtins.pools.threads import ThreadsPool
from kernel.contracts.pool import PoolOptions

EVERY = pytest.mark.parametrize("kind", [PreforkPool, ThreadsPool, AsyncPool], ids=lambda kind: kind.name)
SIZED = pytest.mark.parametrize("kind", [PreforkPool, ThreadsPool], ids=lambda kind: kind.name)


@pytest.fixture
def make():
    pools = []

    def make(kind, size=1, **options):
        ear = Ear()
        pool = kind(PoolOptions(size=size, **options), Factory(), ear)
        pool.prepare()
        pools.append(pool)
        pool.start()
        return pool, ear

    yield make
    for pool in pools:
        pool.stop()


def until(condition, seconds=30.0):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end
        time.sleep(0.005)
    return found


@EVERY
def test_what_runs_is_known(kind, make):
    pool, ear = make(kind)
    assert pool.running() == []
    before = time.time()
    pool.submit([job(1, "sleep", 1.0)])
    (running,) = until(pool.running)
    assert running.tag == 1
    assert running.pid in pool.stats()["processes"]
    assert before - 1 < running.at < time.time() + 1
    ear.wait_for_tags(1)
    assert pool.running() == []


@EVERY
def test_jobs_that_have_not_begun_are_discarded_and_no_others(kind, make):
    pool, ear = make(kind)
    pool.submit([job(1, "sleep", 1.0), job(2, "value", 2), job(3, "value", 3)])
    until(pool.running)
    taken = until(lambda: pool.discard({1, 2}))
    assert taken == [2]
    assert pool.discard({1, 2, 99}) == []
    ear.wait_for_tags(1, 3)
    assert pool.join(10)
    assert sorted(ear.reports) == [1, 3]


@SIZED
def test_it_grows_and_shrinks(kind, make):
    pool, ear = make(kind)
    pool.resize(3)
    until(lambda: pool.room() >= 3)
    assert pool.stats()["max-concurrency"] == 3
    began = time.monotonic()
    pool.submit([job(tag, "sleep", 1.0) for tag in range(3)])
    until(lambda: len(pool.running()) == 3)
    pool.resize(1)
    ear.wait_for_tags(0, 1, 2)
    assert time.monotonic() - began < 30
    until(lambda: pool.room() == 1)
    if kind is PreforkPool:
        until(lambda: len(pool.stats()["processes"]) == 1)
    else:
        until(lambda: pool.stats()["threads"] == 1)
    pool.submit([job(7, "value", 7)])
    ear.wait_for_tags(7)
    assert not ear.losses


@SIZED
def test_sizes_that_cannot_be(kind, make):
    pool, _ = make(kind)
    for size in (0, -1):
        with pytest.raises(ValueError, match="not"):
            pool.resize(size)
    if kind is PreforkPool:
        with pytest.raises(ValueError, match="1 to"):
            pool.resize(10**6)


def test_nothing_is_lost_while_a_busy_pool_changes_its_size_again_and_again(make):
    for kind in (PreforkPool, ThreadsPool):
        pool, ear = make(kind, size=2, most=8)
        sizes = itertools.cycle([4, 1, 8, 2, 1, 5, 3, 1, 6, 2])
        tag = 0
        while tag < 600:
            if tag % 30 == 0:
                pool.resize(next(sizes))
            room = min(pool.room(), 10)
            pool.submit([job(tag + n, "value", tag + n) for n in range(room)])
            tag += room
            if not room:
                time.sleep(0.001)
        assert pool.join(60)
        assert sorted(ear.reports) == list(range(tag))
        assert not ear.losses
        pool.resize(1)


def test_solo_tells_what_it_runs_from_another_thread():
    seen = []

    class Looking(Ear):
        def reported(self, reports):
            seen.append(pool.running())
            super().reported(reports)

    pool = SoloPool(PoolOptions(), Factory(), Looking())
    pool.prepare()
    pool.start()
    assert not pool.capabilities().resize
    with pytest.raises(NotImplementedError, match="solo"):
        pool.resize(2)
    pool.submit([job(1, "pid")])
    assert pool.discard({1}) == []
    assert seen == [[]]
    assert pool.stats()["processes"] == [os.getpid()]
    pool.stop()
