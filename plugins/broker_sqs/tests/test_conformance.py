from kernel_conformance import BrokerSuite

TestSqs = BrokerSuite.for_plugin("broker.sqs")
