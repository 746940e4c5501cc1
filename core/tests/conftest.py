"""How long a machine takes for an example says nothing about what is tested.

Not at the root of the tree: programs of other environments run tests below it, without Hypothesis.
"""

from hypothesis import HealthCheck, settings

settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")
