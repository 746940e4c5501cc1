"""The application is run as a program, and its tests by themselves; here neither is collected."""

collect_ignore_glob = ["proj/*"]
