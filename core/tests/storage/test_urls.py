"""What the built-in stores say of a URL they cannot read never shows its password."""

import pytest

from kernel.builtins.memory.broker import store_name
from kernel.builtins.sqlite.address import path
from kernel.errors import Code, DriverError


@pytest.mark.parametrize(
    ("read", "url"),
    [
        (store_name, "memory://user:hunter2@name/x"),
        (path, "sqlite://user:hunter2@host/file.db"),
        (path, "sqlite:///file.db?password=hunter2"),
    ],
)
def test_a_password_is_masked(read, url):
    with pytest.raises(DriverError) as caught:
        read(url)
    assert caught.value.code is Code.INVALID
    assert "hunter2" not in caught.value.one_line()
