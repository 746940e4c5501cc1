"""An application as a user of django-celery-beat has it; as a program it makes its tables and prints its rows."""

import json
import sys
from importlib import import_module
from pathlib import Path

from django.conf import settings

settings.configure(
    SECRET_KEY="none",
    USE_TZ=True,
    INSTALLED_APPS=["django.contrib.contenttypes", "django_celery_beat"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(Path.cwd() / "rows.db")}},
    CELERY_BROKER_URL="sqlite:///queue.db",
    CELERY_BEAT_SCHEDULER="django_celery_beat.schedulers:DatabaseScheduler",
    CELERY_BEAT_MAX_LOOP_INTERVAL=1,
    CELERY_BEAT_SCHEDULE={"configured": {"task": "proj.add", "schedule": 1.0}},
    CELERY_TIMEZONE="Europe/Berlin",
)


def application():
    celery = import_module("celery")
    app = celery.Celery("proj")
    app.config_from_object("django.conf:settings", namespace="CELERY")
    return app


def rows():
    import_module("django").setup()
    models = import_module("django_celery_beat.models")
    import_module("django.core.management").call_command("migrate", verbosity=0)
    second, _ = models.IntervalSchedule.objects.get_or_create(every=1, period="seconds")
    models.PeriodicTask.objects.get_or_create(name="row", task="proj.add", interval=second, args="[1, 2]")
    return {row.name: [row.total_run_count, str(row.last_run_at)] for row in models.PeriodicTask.objects.all()}


if __name__ == "__main__":
    import_module("plugin_compat_celery.adapter.installed").install()
    sys.stdout.write(json.dumps(rows()))
else:
    import_module("django").setup()
    app = application()
