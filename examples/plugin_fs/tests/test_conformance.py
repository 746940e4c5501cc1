from kernel_conformance import BrokerSuite

TestFs = BrokerSuite.for_plugin("broker.fs")
