"""Property tests draw new cases at every run, but the same ones on CI, where a run must be repeatable."""

import os

from hypothesis import settings

settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")
