"""``celery.contrib.testing``: applications and workers inside a test's own process (features.md 2.12)."""
