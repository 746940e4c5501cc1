"""Sharded routes: the same queue for the same key everywhere, fair shares, and rules that say what is wrong."""

import importlib.metadata
import json
import math
import re
import subprocess
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path as File
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel import Kernel
from kernel.app.settings import Settings
from kernel.contracts import Deadline
from kernel.errors import ImproperlyConfigured, KernelError, QueueNotFound
from kernel.model.topology import QueueSpec, TaskRef, Topology
from kernel.runtime.boot import build_services
from plugin_router_sharded.keys import key_bytes
from plugin_router_sharded.paths import Path
from plugin_router_sharded.plugin import plugin
from plugin_router_sharded.router import ShardedRouter

TOPOLOGY = Topology("default")
SHARDS = ["s-0", "s-1", "s-2", "s-3", "s-4"]
KEYS = 20_000
README = File(__file__).parents[1].joinpath("README.md").read_text()
FIRST_ROUTES = "y204044130y33y140y0y4132y014yy4y131y4y21"
"""Queues of the keys 0 to 39, by their last letter."""


def compiled(**rules):
    return ShardedRouter(rules).compile(TOPOLOGY)


ONE = compiled(key="args[0]", queues={"a": 1})


def queue(route):
    return route and route.queue


def by_id(count=KEYS, **rules):
    """Queue of each of many task ids."""
    router = compiled(**rules)
    return [queue(router(TaskRef("t", id=f"id-{number}"))) for number in range(count)]


def chi_square(found, shares):
    expected = {name: len(found) * share for name, share in shares.items()}
    return sum((found.count(name) - mean) ** 2 / mean for name, mean in expected.items())


def test_the_entry_point_leads_to_it():
    (entry,) = importlib.metadata.entry_points(group="kernel.plugins", name="router.sharded")
    assert entry.dist.name == "plugin-router-sharded"
    assert entry.load() is plugin
    manifest = plugin.kernel_manifest()
    assert (manifest.name, dict(manifest.contracts)) == ("router.sharded", {"router": "1.0"})
    assert plugin.kernel_routers() == {"sharded": ShardedRouter}


class TestShares:
    def test_keys_are_spread_evenly(self):
        for count, most in ((2, 19.5), (5, 28.5), (12, 42.5)):  # 1 in 100,000 by chance
            names = [f"q{number}" for number in range(count)]
            assert chi_square(by_id(queues=names), dict.fromkeys(names, 1 / count)) < most

    def test_weights(self):
        found = by_id(queues={"big": 4, "small": 1, "half": 0.5})
        assert found.count("big") / KEYS == pytest.approx(4 / 5.5, rel=0.05)
        assert found.count("small") / KEYS == pytest.approx(1 / 5.5, rel=0.1)
        assert found.count("half") / KEYS == pytest.approx(0.5 / 5.5, rel=0.15)

    @pytest.mark.parametrize("count", [1, 2, 5, 11])
    def test_a_new_queue_takes_keys_and_moves_none_between_the_others(self, count):
        names = [f"q{number}" for number in range(count)]
        before, after = by_id(queues=names), by_id(queues=[*names, "new"])
        moved = [right for left, right in zip(before, after, strict=True) if left != right]
        assert set(moved) == {"new"}
        assert len(moved) <= math.ceil(1.5 * KEYS / (count + 1))

    def test_a_new_lighter_queue_too(self):
        before = by_id(queues={"a": 4, "b": 2})
        after = by_id(queues={"a": 4, "b": 2, "c": 1})
        moved = [right for left, right in zip(before, after, strict=True) if left != right]
        assert set(moved) == {"c"}
        assert len(moved) <= 1.5 * KEYS / 7

    def test_the_order_of_queues_does_not_count(self):
        assert by_id(500, queues=SHARDS) == by_id(500, queues=SHARDS[::-1])

    def test_percentages_are_exact_and_the_rest_falls_through(self):
        found = by_id(percent={"canary": 5, "beta": 20})
        assert chi_square(found, {"canary": 0.05, "beta": 0.2, None: 0.75}) < 23.1
        assert set(by_id(300, percent={"all": 100})) == {"all"}

    def test_a_growing_canary_keeps_its_keys(self):
        small, large = by_id(percent={"canary": 5}), by_id(percent={"canary": 30})
        assert all(right == "canary" for left, right in zip(small, large, strict=True) if left == "canary")

    def test_the_rest_of_a_canary_is_sharded_as_without_it(self):
        plain, both = by_id(queues=SHARDS), by_id(queues=SHARDS, percent={"canary": 10})
        assert all(right in {left, "canary"} for left, right in zip(plain, both, strict=True))
        kept = [name for name in both if name != "canary"]
        assert chi_square(kept, dict.fromkeys(SHARDS, 0.2)) < 28.5  # what the canary takes is independent of the ring


class TestKeys:
    @pytest.mark.parametrize(
        ("path", "ref"),
        [
            ("id", TaskRef("t", id="K")),
            ("id", TaskRef("t", options={"task_id": "K"})),
            ("task", TaskRef("K")),
            ("args[0]", TaskRef("t", ("K",))),
            ("args[-1]", TaskRef("t", (1, "K"))),
            ("args[1].rows[0].id", TaskRef("t", (1, {"rows": [{"id": "K"}]}))),
            ("kwargs.customer", TaskRef("t", kwargs={"customer": "K"})),
            ("kwargs.customer.id", TaskRef("t", kwargs={"customer": {"id": "K"}})),
            ('kwargs["a.b"]["c d"]', TaskRef("t", kwargs={"a.b": {"c d": "K"}})),
            ("kwargs.pairs[1][0]", TaskRef("t", kwargs={"pairs": (0, ("K", 1))})),
            ("headers.tenant", TaskRef("t", options={"headers": {"tenant": "K"}})),
            ("headers.x-tenant", TaskRef("t", options={"headers": {"x-tenant": "K"}})),
            (["kwargs.customer", "args[0]"], TaskRef("t", ("K",))),
            (["kwargs.customer", "args[0]"], TaskRef("t", ("other",), {"customer": "K"})),
        ],
    )
    def test_where_a_key_may_stand(self, path, ref):
        (found,) = {one.find(ref) for one in map(Path, [path] if isinstance(path, str) else path)} - {None, "other"}
        assert found == "K"
        expected = compiled(key="id", queues=SHARDS)(TaskRef("t", id="K"))
        assert compiled(key=path, queues=SHARDS, missing="error")(ref) == expected

    @pytest.mark.parametrize(
        ("path", "ref"),
        [
            ("id", TaskRef("t")),
            ("args[0]", TaskRef("t")),
            ("args[-2]", TaskRef("t", ("x",))),
            ("args[0].id", TaskRef("t", ("text",))),
            ("args[0][0]", TaskRef("t", ("text",))),
            ("kwargs.customer.id", TaskRef("t", kwargs={"customer": {"name": "x"}})),
            ("kwargs.customer.id", TaskRef("t", kwargs={"customer": None})),
            ("kwargs.customer.id", TaskRef("t", kwargs={"customer": [1]})),
            ("headers.tenant", TaskRef("t")),
            ("headers.tenant", TaskRef("t", options={"headers": None})),
            (["args[0]", "kwargs.a"], TaskRef("t", kwargs={"a": None})),
        ],
    )
    def test_a_missing_key_falls_through_or_is_an_error(self, path, ref):
        assert compiled(key=path, queues=SHARDS)(ref) is None
        strict = compiled(key=path, queues=SHARDS, missing="error")
        first = path if isinstance(path, str) else path[0]
        said = f"Router 'sharded' failed for task 't': the call has no {re.escape(first)}"
        with pytest.raises(KernelError, match=said) as caught:
            strict(ref)
        assert "missing" in caught.value.cure

    @pytest.mark.parametrize(
        "same",
        [
            (7, "7", b"7", Decimal(7)),
            (UUID(int=5), str(UUID(int=5))),
            (date(2026, 11, 21), "2026-11-21"),
            (datetime(2026, 11, 21, 9, tzinfo=UTC), "2026-11-21T09:00:00+00:00"),
            (-12, "-12"),
            (1.5, "1.5"),
            (True, "True"),
            ("", b"", bytearray()),
        ],
    )
    def test_a_value_and_its_text_are_the_same_key(self, same):
        assert len({key_bytes(value) for value in same}) == 1

    @pytest.mark.parametrize(
        "value", [{"id": 1}, [1], object(), {1}, 1 << 5000], ids=lambda value: type(value).__name__
    )
    def test_a_value_that_is_no_key_is_an_error(self, value):
        with pytest.raises(KernelError, match=rf"task 't': args\[0\] is a {type(value).__name__}, which is no key"):
            compiled(key="args[0]", queues=SHARDS)(TaskRef("t", (value,)))

    @given(st.text(st.characters(exclude_categories=())))
    def test_any_text_is_a_key(self, text):
        assert ONE(TaskRef("t", (text,))).queue == "a"

    def test_routes_of_this_version_stay(self):
        """Keys must not move when the plugin is updated."""
        router = compiled(key="args[0]", queues=SHARDS, percent={"canary": 20})
        assert "".join(router(TaskRef("t", (key,))).queue[-1] for key in range(40)) == FIRST_ROUTES

    def test_other_processes_with_other_hash_seeds_agree(self):
        rules = {"queues": {"a": 3, "b": 1, "c": 2}, "percent": {"d": 10}}
        program = f"""
import json
from kernel.model.topology import TaskRef, Topology
from plugin_router_sharded.router import ShardedRouter
router = ShardedRouter({rules!r}).compile(Topology("default"))
print(json.dumps([router(TaskRef("t", id=f"id-{{number}}")).queue for number in range(500)]))
"""
        here = by_id(500, **rules)
        assert set(here) == {"a", "b", "c", "d"}
        for seed in ("0", "77"):
            run = subprocess.run(
                [sys.executable, "-c", program],
                env={"PYTHONHASHSEED": seed},
                capture_output=True,
                check=True,
                timeout=60,
            )
            assert json.loads(run.stdout) == here


class TestTasks:
    def test_names_and_globs(self):
        router = compiled(tasks=["proj.add", "proj.orders.*"], key="task", queues=["q"])
        found = {name: queue(router(TaskRef(name))) for name in ("proj.add", "proj.orders.new", "proj.adder", "x")}
        assert found == {"proj.add": "q", "proj.orders.new": "q", "proj.adder": None, "x": None}
        assert queue(compiled(tasks="proj.add", key="task", queues="q")(TaskRef("proj.add"))) == "q"

    def test_answers_are_kept_per_name_only_when_they_depend_on_nothing_else(self):
        assert compiled(key="task", queues=["q"]).by_name
        assert not compiled(key=["task", "args[0]"], queues=["q"]).by_name


class TestRules:
    @pytest.mark.parametrize(
        ("rules", "said"),
        [
            (["q"], r"rules must be a mapping, not \['q'\]"),
            ({"queue": ["q"]}, "there is no rule 'queue'. Did you mean 'queues'"),
            ({"queues": ["q"], 3: 4}, "there is no rule 3"),
            ({}, "there are no queues"),
            ({"queues": []}, "there are no queues"),
            ({"queues": {}, "percent": {}}, "there are no queues"),
            ({"queues": 5}, "queues is 5"),
            ({"queues": ["a", 5]}, r"queues is \['a', 5\]"),
            ({"queues": ["a", ""]}, r"queues is \['a', ''\]"),
            ({"queues": ["a", "b", "a"]}, "queues has 'a' twice"),
            ({"queues": {"a": 0}}, "queues gives 'a' 0. A weight must be a number above 0"),
            ({"queues": {"a": -1}}, "queues gives 'a' -1"),
            ({"queues": {"a": "3"}}, "queues gives 'a' '3'"),
            ({"queues": {"a": True}}, "queues gives 'a' True"),
            ({"queues": {"a": math.nan}}, "queues gives 'a' nan"),
            ({"queues": {"a": math.inf}}, "queues gives 'a' inf"),
            ({"queues": {"": 1}}, "queues has the queue ''"),
            ({"queues": {"a": 1, "b": 101}}, r"the weights of queues go from 1\.0 to 101\.0"),
            ({"percent": {"a": 60, "b": 41}}, "the percentages make 101. Together they may be 100 at most"),
            ({"percent": {"a": 0}}, "percent gives 'a' 0"),
            ({"percent": {"a": -5}}, "percent gives 'a' -5"),
            ({"percent": 5}, "percent is 5"),
            ({"queues": ["q"], "missing": "ignore"}, "missing is 'ignore'"),
            ({"queues": ["q"], "missing": []}, r"missing is \[\]"),
            ({"queues": ["q"], "tasks": []}, r"tasks is \[\]"),
            ({"queues": ["q"], "key": 5}, "key is 5"),
            *(
                ({"queues": ["q"], "key": path}, rf"key {re.escape(repr(path))}")
                for path in (
                    "args", "kwargs", "headers", "args.a", "args[x]", "args[0", "args[0]x", "kwargs.", "kwargs..a",
                    "x.y", "kwargs[0]", "id.x", "task[0]", " id", "kwargs.a b", "kwargs['a']", "args[99999999999]",
                )
            ),
        ],
    )  # fmt: skip
    def test_what_cannot_work_is_one_line_at_start_up(self, rules, said):
        with pytest.raises(ImproperlyConfigured) as caught:
            ShardedRouter(rules)
        line = caught.value.one_line()
        assert re.search(said, line), line
        assert line.startswith("task_routes, router 'sharded': ")
        assert caught.value.cure

    @pytest.mark.parametrize("rules", [{"queues": ["here", "hare"]}, {"percent": {"here": 5, "hare": 5}}])
    def test_a_queue_that_does_not_exist_and_may_not_be_created(self, rules):
        topology = Topology("default", {"here": QueueSpec("here")}, create_missing=False)
        with pytest.raises(QueueNotFound, match="queue 'hare' is not configured") as caught:
            ShardedRouter(rules).compile(topology)
        assert "'here'" in caught.value.cure


def settings_of(tmp_path, toml):
    (tmp_path / "kernel.toml").write_text(toml)
    return Settings(environ={"KERNEL_BROKER_URL": "memory://sharded"}, cwd=tmp_path).snapshot()


class TestReadme:
    SINGLE, SEVERAL = re.findall(r"^```toml\n(.*?)^```", README, re.MULTILINE | re.DOTALL)

    def test_the_first_file(self, tmp_path):
        resolver = build_services(settings_of(tmp_path, self.SINGLE), "here@test").resolver
        customers = [TaskRef("proj.order", kwargs={"customer": {"id": number}}) for number in range(100)]
        found = [resolver.resolve(ref, {}).queue for ref in customers]
        assert set(found) == {"orders-0", "orders-1", "orders-2"}
        assert found == [resolver.resolve(ref, {}).queue for ref in customers]
        assert resolver.resolve(TaskRef("proj.order"), {}).queue == "kernel"
        assert resolver.resolve(customers[0], {"queue": "own"}).queue == "own"

    def test_python_says_the_same(self, tmp_path):
        (block,) = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
        app = Kernel("proj", broker_url="memory://sharded-app")
        exec(block, {"app": app})
        assert app.conf.task_routes == settings_of(tmp_path, self.SINGLE).task_routes

    def test_the_second_file(self, tmp_path):
        resolver = build_services(settings_of(tmp_path, self.SEVERAL), "here@test").resolver

        def queues(task, *args):
            return [resolver.resolve(TaskRef(task, args, id=f"id-{number}"), {}).queue for number in range(2000)]

        assert queues("proj.render").count("canary") / 2000 == pytest.approx(0.05, abs=0.03)
        assert set(queues("proj.render")) == {"canary", "kernel"}
        assert len(set(queues("proj.orders.new", "tenant-1"))) == 1
        tenants = {resolver.resolve(TaskRef("proj.orders.new", (number,)), {}).queue for number in range(200)}
        assert tenants == {"big", "small-1", "small-2"}
        assert set(queues("proj.mail.send")) == {"mail"}

    def test_every_rule_is_in_the_table(self):
        from plugin_router_sharded.rules import KEYS as RULES

        assert sorted(re.findall(r"^\| `(\w+)` \| (?:none|all|`)", README, re.MULTILINE)) == sorted(RULES)


def test_a_published_call_is_routed_by_its_task_id_and_a_header(tmp_path):
    routes = [
        {"router": "sharded", "key": "headers.tenant", "queues": ["by-tenant"]},
        {"router": "sharded", "queues": ["by-id"], "missing": "error"},
    ]
    app = Kernel("proj", broker_url="memory://sharded-published", task_routes=routes)

    @app.task(name="proj.work")
    def work():
        """Nothing: it is never run here."""

    work.apply_async(headers={"tenant": "a"})
    work.delay()
    services = build_services(app.config, "reader@test")
    for name in ("by-tenant", "by-id"):
        consumer = services.broker.consumer([name], 0)
        assert len(consumer.receive(5, 2)) == 1
        consumer.close(True, Deadline.after(5))
    services.close()
