"""Prints ``expressions.txt`` again, with the values that its expressions have where it is run.

With ``--ours`` it is this package.
"""

import importlib
import sys
from pathlib import Path


def main() -> None:
    shared = "from datetime import datetime, timedelta"
    for line in Path(__file__).with_name("expressions.txt").read_text().splitlines():
        module, _, rest = line.partition(": ")
        expression = rest.rpartition("  ->  ")[0]
        space = dict(vars(importlib.import_module(module)))
        exec(shared, space)
        print(f"{module}: {expression}  ->  {eval(expression, space)!r}")


if __name__ == "__main__":
    if "--ours" in sys.argv:
        importlib.import_module("plugin_compat_celery.adapter.installed")
    main()
