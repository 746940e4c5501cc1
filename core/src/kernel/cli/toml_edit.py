"""Changing one list in a TOML file and nothing else: comments, order and spelling of the rest stay."""

import json
import os
import re
import shutil
import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kernel.errors import ImproperlyConfigured


def write_list(path: Path, table: tuple[str, ...], key: str, words: Sequence[str]) -> None:
    """Set ``key = [words]`` in a table of a file, which is made when it does not exist.

    The new text is parsed before it is written: whatever else the file says must come out the same.

    Raises:
        ImproperlyConfigured: the file cannot be read, is no TOML, or says this in a way that is not understood here;
            it is left alone.
    """
    path = path.resolve()
    old = _read(path)
    content = _parse(path, old)
    _place(content, table)[key] = list(words)
    new = _edited(old, table, key, f"{key} = [{', '.join(json.dumps(word) for word in words)}]")
    try:
        understood = tomllib.loads(new) == content
    except tomllib.TOMLDecodeError:
        understood = False
    if not understood:
        cure = f"Write it by hand, below [{'.'.join(table)}]: {key} = {json.dumps(list(words))}"
        raise ImproperlyConfigured(f"{path.name} sets {key!r} in a way this command cannot change safely.", cure=cure)
    _replace(path, new)


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode() if path.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise ImproperlyConfigured(f"{path} cannot be read: {error}.", cure="Correct it, or its name.") from error


def _parse(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ImproperlyConfigured(f"{path.name} is no valid TOML: {error}.", cure="Correct it first.") from error


def _place(content: dict[str, Any], table: tuple[str, ...]) -> dict[str, Any]:
    place: Any = content
    for name in table:
        place = place.setdefault(name, {}) if isinstance(place, dict) else {}
    return place if isinstance(place, dict) else {}


def _edited(text: str, table: tuple[str, ...], key: str, line: str) -> str:
    """The text with the key's line put in place of an old one, else below the table's header, else at the end."""
    newline = "\r\n" if "\r\n" in text else "\n"
    name = r"[ \t]*\.[ \t]*".join(re.escape(part) for part in table)
    header = re.search(rf"^[ \t]*\[[ \t]*{name}[ \t]*\][ \t]*(#[^\n]*)?(\n|\Z)", text, re.MULTILINE)
    if header is None:
        gap = newline if text.strip() else ""
        end = "" if not text or text.endswith("\n") else newline
        return f"{text}{end}{gap}[{'.'.join(table)}]{newline}{line}{newline}"
    start = header.end()
    following = re.search(r"^[ \t]*\[", text[start:], re.MULTILINE)
    stop = start + following.start() if following else len(text)
    body = text[start:stop]
    old = re.search(rf"^[ \t]*{re.escape(key)}[ \t]*=[ \t]*\[[^\]]*\]", body, re.MULTILINE)
    if old is not None:
        return text[: start + old.start()] + line + text[start + old.end() :]
    end = "" if header[0].endswith("\n") else newline
    return f"{text[:start]}{end}{line}{newline}{text[start:]}"


def _replace(path: Path, text: str) -> None:
    """Write the file at once or not at all, with the access rights it had."""
    try:
        number, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(number, "w", encoding="utf-8", newline="") as stream:
            stream.write(text)
        _copy_rights(path, Path(temporary))
        Path(temporary).replace(path)
    except OSError as error:
        cure = "Give this user the right to write it, or change it by hand."
        raise ImproperlyConfigured(f"{path} cannot be written: {error.strerror}.", cure=cure) from error


def _copy_rights(path: Path, temporary: Path) -> None:
    if path.exists():
        shutil.copymode(path, temporary)
    else:
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)
