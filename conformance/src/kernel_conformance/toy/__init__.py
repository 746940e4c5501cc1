"""A small broker over TCP, so that the suite's network cases are themselves tested: a server and a driver."""
