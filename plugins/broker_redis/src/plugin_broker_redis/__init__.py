"""Redis for kernel; found through the entry point ``broker.redis``."""
