"""An application as somebody writes one for Celery. Nothing in it knows of the kernel."""
