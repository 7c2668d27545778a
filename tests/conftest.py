"""Settings of the property-based tests.

An example has no limit of time, since a loaded machine is no fault of the code. In CI the examples are the same in each run,
so that a failure belongs to the change that is tested; everywhere else they are new ones, and a failure is printed with
the blob that brings it back. The inputs of tests/fuzz are not hypothesis's: see FUZZ_EXAMPLES there.
"""

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "project",
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("project")
