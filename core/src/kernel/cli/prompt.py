"""Asking before something cannot be undone; never where nobody can answer."""

import sys

import click

from kernel.cli.exits import CommandError, Exit


def confirm(question: str) -> None:
    """Ask at the terminal, and end the command unless the answer is yes.

    Raises:
        CommandError: 64 without a terminal, with ``--force`` as the cure.
    """
    if not sys.stdin.isatty():
        raise CommandError(Exit.USAGE, f"{question} There is no terminal to ask at.", cure="Say it with --force.")
    click.confirm(question, abort=True, err=True)
