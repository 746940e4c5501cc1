"""Makes the fakes importable, also for spawned interpreters, which get the parent's sys.path."""

import sys
from pathlib import Path

FOLDER = str(Path(__file__).parent)
if FOLDER not in sys.path:
    sys.path.insert(0, FOLDER)
