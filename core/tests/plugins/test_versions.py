"""Version ranges, against the library that defines them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from kernel.runtime.plugin_versions import in_range, version_key

NUMBERS = st.lists(st.integers(0, 3), min_size=1, max_size=4).map(lambda parts: ".".join(map(str, parts)))
PHASES = st.sampled_from(["", "a1", "b2", "rc1", "rc2", ".dev3", ".post1", "+local.1"])
VERSIONS = st.builds(lambda numbers, phase: numbers + phase, NUMBERS, PHASES)


@given(VERSIONS, VERSIONS)
@settings(deadline=None)
def test_order(left, right):
    a, b = (Version(Version(text).public) for text in (left, right))
    assert (version_key(left) < version_key(right)) == (a < b)
    assert (version_key(left) == version_key(right)) == (a == b)


@given(
    VERSIONS.filter(lambda v: "+" not in v),
    st.lists(st.tuples(st.sampled_from([">=", "<=", "==", "!="]), NUMBERS), max_size=3),
)
@settings(deadline=None)
def test_ranges(version, clauses):
    text = ", ".join(sign + bound for sign, bound in clauses)
    assert in_range(version, text) == SpecifierSet(text).contains(version, prereleases=True)


@given(NUMBERS, st.sampled_from(["==", "!="]), NUMBERS)
@settings(deadline=None)
def test_beginnings(version, sign, bound):
    text = f"{sign}{bound}.*"
    assert in_range(version, text) == SpecifierSet(text).contains(version)


@given(NUMBERS, NUMBERS.filter(lambda bound: "." in bound), st.sampled_from(["~=", "<", ">"]))
@settings(deadline=None)
def test_compatible_and_strict(version, bound, sign):
    assert in_range(version, sign + bound) == SpecifierSet(sign + bound).contains(version)


@pytest.mark.parametrize("text", ["", " ", ">=2026.11", ">= 2026.11 , <2027", "~=2026.11", "==2026.*", ">2026.10"])
def test_ours(text):
    assert in_range("2026.11.0", text)


@pytest.mark.parametrize("text", ["2026.11", "=>1", ">=", ">=x", "==1.x.*", ">=1.*", "~=1", "===1"])
def test_what_cannot_be_read(text):
    with pytest.raises(ValueError, match=r"."):
        in_range("2026.11.0", text)
