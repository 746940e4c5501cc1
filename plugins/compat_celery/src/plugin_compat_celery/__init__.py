"""Celery's public names over kernel: what an application imports from ``celery`` stands here under the same name.

Every module beside this one has the name and place that it has in Celery; :mod:`plugin_compat_celery.adapter` alone is
this distribution's own. Nothing here is needed by the kernel, which knows nothing of it.
"""
