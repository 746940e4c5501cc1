"""For tests of applications: a worker inside the test's process, and pytest fixtures around it.

``pytest_plugins = ["kernel.testing.fixtures"]`` in a ``conftest.py`` makes the fixtures known.
"""

from kernel.testing.worker import start_worker as start_worker
