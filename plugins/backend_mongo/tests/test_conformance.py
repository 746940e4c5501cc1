from kernel_conformance import BackendSuite

TestMongo = BackendSuite.for_plugin("backend.mongo", level="core")
