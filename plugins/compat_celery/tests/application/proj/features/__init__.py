"""What the application sees of Celery, one function per section of the feature table."""
