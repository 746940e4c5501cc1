from kernel_conformance import BackendSuite

TestRedis = BackendSuite.for_plugin("backend.redis", level="core")
