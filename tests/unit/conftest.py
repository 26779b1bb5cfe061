"""For every unit test."""

from hypothesis import settings

# A busy machine is no reason to fail; every test has the run's own timeout.
settings.register_profile("enact", deadline=None)
settings.load_profile("enact")
