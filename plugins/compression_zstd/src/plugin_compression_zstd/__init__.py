"""Zstandard compression for kernel; found through the entry point ``compression.zstd``."""
