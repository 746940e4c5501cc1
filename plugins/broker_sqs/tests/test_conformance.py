from kernel_conformance import BrokerSuite

TestSqs = BrokerSuite.for_plugin("broker.sqs", level="core")  # all of it takes minutes: `make conformance`
