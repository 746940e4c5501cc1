from kernel_conformance import BrokerSuite

TestRedis = BrokerSuite.for_plugin("broker.redis", level="core")
