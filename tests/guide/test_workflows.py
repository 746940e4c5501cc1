"""docs/workflows.md: its example runs, and its comments say what comes out."""

import re
from pathlib import Path

import pytest

from kernel import Kernel

PAGE = (Path(__file__).parents[2] / "docs" / "workflows.md").read_text()


@pytest.mark.parametrize(
    ("name", "value"), [("steps", 7), ("fan", [2 * n for n in range(10)]), ("joined", 6), ("whole", 15)]
)
def test_the_example(name, value):
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    space: dict = {}
    exec(compile(code, "workflows.md", "exec"), space)
    with space["app"] as app:
        assert isinstance(app, Kernel)
        assert space[name].apply().get() == value
    shown = re.search(rf"^{name} = .*# .*: (.+)$", code, re.MULTILINE)
    assert shown is not None
    assert shown.group(1) == (str(value) if name != "fan" else "[0, 2, ..., 18]")
