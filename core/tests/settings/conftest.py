import pytest

from kernel.app.settings import Settings


@pytest.fixture
def make(tmp_path):
    """Settings that see nothing of this machine but what the test puts there."""

    def make(constructor=None, *, cwd=tmp_path, use_files=True, **environ):
        return Settings(constructor, environ=environ, cwd=cwd, use_files=use_files)

    return make
