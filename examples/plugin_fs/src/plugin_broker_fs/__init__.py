"""A broker in a folder of a local file system, for kernel."""
