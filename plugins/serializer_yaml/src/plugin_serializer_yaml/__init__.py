"""YAML for kernel; found through the entry point ``serializer.yaml``."""
