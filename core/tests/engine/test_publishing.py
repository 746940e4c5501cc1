"""The pure parts of publishing: argument checks, reprs, times, urls."""

import inspect
import string
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel.engine.argcheck import argument_check
from kernel.engine.saferepr import saferepr
from kernel.engine.timing import NOW, app_zone, resolve_timing
from kernel.errors import ImproperlyConfigured
from kernel.model.masking import mask_text

NAMES = st.lists(st.sampled_from(string.ascii_lowercase), unique=True, max_size=6)


@st.composite
def functions(draw):
    """Functions with every kind of parameter, written out and compiled."""
    names = draw(NAMES)
    cut = sorted(draw(st.lists(st.integers(0, len(names)), min_size=2, max_size=2)))
    posonly, normal, kwonly = names[: cut[0]], names[cut[0] : cut[1]], names[cut[1] :]
    first_default = draw(st.integers(0, len(posonly) + len(normal)))
    parts, position = [], 0
    for group in (posonly, normal):
        for name in group:
            parts.append(f"{name}=0" if position >= first_default else name)
            position += 1
        if group is posonly and posonly:
            parts.append("/")
    if draw(st.booleans()):
        parts.append("*args")
    elif kwonly:
        parts.append("*")
    parts += [f"{name}=0" if draw(st.booleans()) else name for name in kwonly]
    if draw(st.booleans()):
        parts.append("**kwargs")
    scope = {}
    exec(f"def f({', '.join(parts)}): pass", scope)
    return scope["f"]


@settings(max_examples=300, deadline=None)
@given(
    function=functions(),
    args=st.lists(st.integers(), max_size=7),
    kwargs=st.dictionaries(st.sampled_from("abcdefxyz"), st.integers()),
)
def test_a_check_says_what_python_says(function, args, kwargs) -> None:
    check = argument_check(function)

    try:
        function(*args, **kwargs)
        wanted = None
    except TypeError as error:
        wanted = str(error)

    if wanted is None:
        check(*args, **kwargs)
    else:
        with pytest.raises(TypeError) as caught:
            check(*args, **kwargs)
        assert str(caught.value) == wanted


def test_a_check_never_runs_the_task() -> None:
    outer, ran = 5, []

    def generator(x):
        ran.append(x)
        yield outer

    async def coroutine(x):
        ran.append(x)
        return lambda: x + outer

    for function in (generator, coroutine):
        assert argument_check(function)(1) is None
    assert ran == []


def test_a_builtin_without_a_signature_is_not_checked() -> None:
    assert argument_check(dict) is None
    assert argument_check(min) is None


def test_a_bound_function_without_named_parameters() -> None:
    def anything(*args): ...

    argument_check(anything, bound=True)(1, 2, 3)


def test_the_wrapper_counts_not_what_it_wraps() -> None:
    import functools

    def inner(x): ...

    @functools.wraps(inner)
    def wrapper(*args, **kwargs): ...

    assert inspect.signature(wrapper) == inspect.signature(inner)
    argument_check(wrapper)(1, 2, 3, z=4)


inner_leaf = st.integers()
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: (
        st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner) | st.sets(st.integers())
    ),
    max_leaves=30,
)


@given(VALUES, st.one_of(st.none(), st.integers(0, 5)))
def test_a_safe_repr_is_bounded(value, depth) -> None:
    assert len(saferepr(value, depth)) <= 1024


@given(
    st.tuples(
        st.integers(),
        st.text(max_size=20),
        st.none(),
        st.floats(),
        st.dictionaries(st.text(max_size=5), st.integers(), max_size=5),
    )
)
def test_short_values_show_as_they_are(value) -> None:
    assert saferepr(value, 3) == repr(value)


def test_safe_reprs_of_odd_values() -> None:
    class Broken:
        def __repr__(self) -> str:
            raise ValueError("no")

    class Mapping(dict):
        def items(self):
            raise KeyError("no")

    endless: list = []
    endless.append(endless)
    deep: list = []
    for _ in range(5000):
        deep = [deep]

    assert saferepr((Broken(),)) == "(<Broken object, its repr failed: ValueError>,)"
    assert saferepr([Mapping(a=1)]) == "[{<KeyError>"
    assert saferepr((endless,), 0) == "([[...]],)"
    assert saferepr((deep,), None).startswith("([[[")
    assert saferepr((10**5000,)) == "<tuple object, its repr failed: ValueError>"  # beyond the limit of digits
    assert saferepr(([1, [2, [3, [4]]]],), 3) == "([1, [2, [...]]],)"
    assert saferepr((1,)) == "(1,)"
    assert saferepr(tuple(range(10_000))).endswith("...")
    assert saferepr(({1}, frozenset(), set())) == "({1}, frozenset(), set())"


def test_times_of_a_call_without_any() -> None:
    assert resolve_timing({}, 0.0, UTC) is NOW


def test_a_timedelta_is_as_good_as_seconds() -> None:
    timing = resolve_timing({"expires": timedelta(minutes=1)}, 1000.0, UTC)

    assert (timing.left_s, timing.late) == (60.0, False)
    assert datetime.fromisoformat(timing.expires).timestamp() == 1060.0


@pytest.mark.parametrize("now", [1_790_999_916.936_273_6, 1000.0])
def test_no_countdown_is_no_delay_however_dates_are_rounded(now) -> None:
    """A broker that cannot delay refuses a message that asks for half a microsecond."""
    assert resolve_timing({"countdown": 0}, now, UTC).delay_s == 0.0


def test_local_time_zone() -> None:
    eta = datetime.fromtimestamp(2000.0)

    assert resolve_timing({"eta": eta}, 1000.0, app_zone(None, False), utc=False).delay_s == 1000.0


def test_an_unknown_zone_is_refused() -> None:
    with pytest.raises(ImproperlyConfigured, match="Europe/Berln"):
        app_zone("Europe/Berln", True)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("amqp://guest:guest@host:5672//", "amqp://guest:********@host:5672//"),
        ("amqp://me:p@ss/w:rd@host//", "amqp://me:********@host//"),
        ("redis://:secret@host/0", "redis://:********@host/0"),
        ("sqs://", "sqs://"),
        ("sqlite:///kernel.sqlite3", "sqlite:///kernel.sqlite3"),
        ("amqp://a:b@x;amqp://c:d@y", "amqp://a:********@x;amqp://c:********@y"),
        ("x://h/?api_key=1&a=2&TOKEN=3", "x://h/?api_key=********&a=2&TOKEN=********"),
        ("no url", "no url"),
    ],
)
def test_masked_urls(url, shown) -> None:
    assert mask_text(url, secret=True) == shown
