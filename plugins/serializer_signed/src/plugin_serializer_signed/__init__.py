"""Signed and encrypted messages for kernel: entry points ``serializer.signed`` and ``serializer.auth``."""
