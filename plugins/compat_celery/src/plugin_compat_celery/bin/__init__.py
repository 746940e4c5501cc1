"""``celery.bin``: the program."""
