from kernel_conformance import BackendSuite

TestMemcached = BackendSuite.for_plugin("backend.memcached", level="core")
