"""The application is run as a program, and its tests by themselves; here neither is collected."""

import os

collect_ignore_glob = [] if "PROJ_NODE" in os.environ else ["proj/*"]
