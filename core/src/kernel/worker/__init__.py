"""Names of the worker that applications use."""
