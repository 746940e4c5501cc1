"""Run as somebody else: ``--uid``, ``--gid`` and ``--umask`` (features.md 2.4)."""

import grp
import os
import pwd
from typing import Final

from kernel.cli.exits import CommandError, Exit

_LAST_ID: Final = 2**32 - 2
"""The next one means "as it is"."""


def become(user: str | None, group: str | None, umask: str | None) -> None:
    """Set the umask, then give up the rights of root for those of a user and group; None leaves a thing as it is.

    Args:
        user: name or number. Its own groups come with it.
        group: name or number; without it the user's own.
        umask: an octal number.

    Raises:
        CommandError: for a user, group or umask that is none, and for a change that this process may not make.
    """
    if umask is not None:
        os.umask(_octal(umask))
    owner = None if user is None else _user(user)
    gid = _group(group) if group is not None else None if owner is None else owner.pw_gid
    if (owner is None or owner.pw_uid == os.geteuid()) and gid in {None, os.getegid()}:
        return
    try:
        if owner is not None:
            os.initgroups(owner.pw_name, owner.pw_gid if gid is None else gid)
        if gid is not None:
            os.setgid(gid)
        if owner is not None:
            os.setuid(owner.pw_uid)
    except PermissionError as error:
        raise CommandError(
            Exit.NO_PERMISSION,
            f"Process of user {os.geteuid()} may not run as user {user!r} and group {group!r}.",
            cure="Start it as root, or without --uid and --gid.",
        ) from error


def owner_ids(user: str | None, group: str | None) -> tuple[int, int] | None:
    """User and group that files are to belong to; None when nobody is named. A number of -1 leaves it as it is.

    Raises:
        CommandError: for a user or group that is none.
    """
    if user is None and group is None:
        return None
    owner = None if user is None else _user(user)
    gid = _group(group) if group is not None else -1 if owner is None else owner.pw_gid
    return (-1 if owner is None else owner.pw_uid), gid


def _octal(text: str) -> int:
    try:
        mask = int(text, 8)
    except ValueError:
        mask = -1
    if not 0 <= mask <= 0o777:  # noqa: PLR2004 - the bits of permissions
        raise CommandError(Exit.USAGE, f"--umask {text!r} is no octal number.", cure="Write it such as 022.")
    return mask


def _user(text: str) -> pwd.struct_passwd:
    try:
        return pwd.getpwuid(int(text)) if text.isdecimal() else pwd.getpwnam(text)
    except KeyError as error:
        raise CommandError(Exit.NO_USER, f"--uid {text!r}: there is no such user.", cure="See /etc/passwd.") from error


def _group(text: str) -> int:
    try:
        return _number(text) if text.isdecimal() else grp.getgrnam(text).gr_gid
    except KeyError as error:
        raise CommandError(Exit.NO_USER, f"--gid {text!r}: there is no such group.", cure="See /etc/group.") from error


def _number(text: str) -> int:
    """A group's number, which need not be in the file.

    Raises:
        KeyError: no group can have it.
    """
    number = int(text)
    if number > _LAST_ID:
        raise KeyError(text)
    return number
