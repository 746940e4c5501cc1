"""Schedules as users write and subclass them; the arithmetic is in ``model/cron_times`` and ``model/interval``."""
