"""Settings of hypothesis for all unit tests."""

from hypothesis import settings

# A busy machine may pause any test for a while; pytest-timeout watches over the ones that hang.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
