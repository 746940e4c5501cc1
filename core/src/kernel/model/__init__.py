"""Frozen values, standard library only: no clock, no I/O, no threads."""
