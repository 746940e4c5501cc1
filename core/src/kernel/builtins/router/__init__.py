"""The router that comes with the kernel: ``task_routes``."""
