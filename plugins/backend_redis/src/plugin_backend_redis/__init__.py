"""Redis for kernel; found through the entry point ``backend.redis``."""
