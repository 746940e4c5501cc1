"""What is imported from here is the kernel's own object, so that ``except`` and ``isinstance`` mean what they say."""

import kernel.errors
import plugin_compat_celery.exceptions
import plugin_compat_celery.states
from kernel.model import states


def test_an_exception_is_the_kernels() -> None:
    assert plugin_compat_celery.exceptions.Retry is kernel.errors.Retry


def test_a_state_is_the_kernels() -> None:
    assert plugin_compat_celery.states.READY_STATES is states.READY_STATES
