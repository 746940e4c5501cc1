"""``celery.app.amqp``."""

from kernel.app.amqp import Amqp as AMQP  # noqa: N814 - the documented name
from plugin_compat_celery.adapter.absent import missing

__getattr__ = missing(__name__)

__all__ = ["AMQP"]
