"""``celery.contrib``: helpers beside the core (features.md 2.1, 2.12)."""
