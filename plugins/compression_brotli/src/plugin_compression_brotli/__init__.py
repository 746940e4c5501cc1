"""Brotli compression for kernel; found through the entry point ``compression.brotli``."""
