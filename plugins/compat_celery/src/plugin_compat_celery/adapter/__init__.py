"""What answers to Celery's names where the kernel has something else in their place; no module of Celery's."""
