"""Helpers under the module names that users of the calling API know."""
