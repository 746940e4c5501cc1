"""``celery.contrib.django``."""
