"""Sharded, weighted and percentage routes for kernel; found through the entry point ``router.sharded``."""
