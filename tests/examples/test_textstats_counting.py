"""The demonstration counts what is there; pieces do not change numbers, and what is no text is skipped."""

import io
import os
import random
import sys
from pathlib import Path
from types import ModuleType

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples/textstats"


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(EXAMPLE))
    for name in ("counting", "files"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return __import__("counting")


@pytest.mark.parametrize("piece", [1, 2, 3, 7, 64])
def test_pieces_do_not_change_the_numbers(counting: ModuleType, monkeypatch: pytest.MonkeyPatch, piece: int) -> None:
    words = ["alpha", "Übermaß", "βήτα", "x", "", "a_b", "don't", "naïve\u2003gap", "\n", "3rd"]
    text = " ".join(random.Random(7).choices(words, k=300))
    data = text.encode()
    whole = counting.count_stream(io.BytesIO(data))
    monkeypatch.setattr(counting, "CHUNK", piece)

    assert counting.count_stream(io.BytesIO(data)) == whole
    assert whole["bytes"] == len(data)
    assert whole["words"] == len(text.split())
    assert whole["lines"] == data.count(b"\n")


def test_terms_are_folded_and_ordered(counting: ModuleType) -> None:
    found = counting.count_stream(io.BytesIO(b"One two TWO, three three-three; ab"))
    assert found["terms"] == [("three", 3), ("two", 2), ("one", 1)]


def test_terms_stay_bounded(counting: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "MAX_TERMS", 50)
    monkeypatch.setattr(counting, "CHUNK", 64)
    letters = "abcdefghij"
    rare = " ".join(f"q{a}{b}{c}" for a in letters for b in letters for c in letters)
    found = counting.count_stream(io.BytesIO(("often " * 200 + rare).encode()))
    assert found["terms"][0][0] == "often"
    assert found["words"] == 1200


def test_a_very_long_run_of_letters_does_not_grow(counting: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "CHUNK", 1000)
    text, rest = counting.cut("x" * 5000)
    assert (len(text), rest) == (5000, "")
    assert counting.count_stream(io.BytesIO(b"x" * 100_000))["words"] == 1


def test_a_binary_file_is_skipped(counting: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "image").write_bytes(b"PNG\0\1\2")
    with pytest.raises(counting.Skipped, match="binary"):
        counting.count_file(tmp_path / "image")


def test_a_large_file_is_skipped_without_reading_it(
    counting: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "count_stream", lambda _file: pytest.fail("it was read"))
    with (tmp_path / "large").open("wb") as file:
        file.truncate(counting.MAX_BYTES + 1)
    with pytest.raises(counting.Skipped, match="larger than 64 MiB"):
        counting.count_file(tmp_path / "large")


def test_what_is_no_regular_file_does_not_block(counting: ModuleType, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(counting.Skipped, match="not a regular file"):
        counting.count_file(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    with pytest.raises(OSError, match="symbolic link"):
        counting.count_file(tmp_path / "link")


def test_the_independent_count_agrees(counting: ModuleType, tmp_path: Path) -> None:
    files = __import__("files")
    (tmp_path / "a.txt").write_bytes(
        "eins zwei\r\ndrei\x0bvier\u2028fünf \xff".encode("utf-8", "surrogatepass") + b"\xff\xfe x"
    )
    (tmp_path / "node_modules").mkdir()
    (tmp_path / "node_modules/b.txt").write_text("not listed")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden/c.txt").write_text("not listed")

    (listed,) = files.list_files(tmp_path)
    counted = counting.count_file(Path(listed.path))

    assert counted["words"] == files.words_in(listed.path)
    assert counted["bytes"] == listed.size
    assert not listed.changed_since()
    (tmp_path / "a.txt").write_text("other")
    assert listed.changed_since()
