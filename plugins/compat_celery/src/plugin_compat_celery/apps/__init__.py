"""``celery.apps``: programs as objects."""
