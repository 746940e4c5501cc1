from kernel_conformance import BrokerSuite

TestAmqp = BrokerSuite.for_plugin("broker.amqp", level="core")
