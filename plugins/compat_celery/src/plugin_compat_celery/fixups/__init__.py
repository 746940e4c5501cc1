"""``celery.fixups``: what an application does for a framework it is used in."""
