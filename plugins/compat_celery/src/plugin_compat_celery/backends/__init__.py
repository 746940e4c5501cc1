"""``celery.backends``: the place of result backends; those of the kernel are plugins."""
