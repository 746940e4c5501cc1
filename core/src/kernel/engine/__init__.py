"""Decisions, pure: no socket, no clock that is not passed in, no randomness that is not passed in."""
