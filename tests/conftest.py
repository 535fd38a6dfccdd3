"""What holds of every ring of tests."""

from __future__ import annotations

from collections.abc import Generator

import pytest
from hypothesis import HealthCheck, settings

from airflow_deb.errors import AirflowDebError

# A busy machine is no fault of the code: nothing here depends on time.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    call: pytest.CallInfo[None],
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what a failed command printed, which is not in the error's message."""
    report = yield
    error = call.excinfo.value if call.excinfo else None
    if isinstance(error, AirflowDebError) and error.detail:
        report.sections.append(("the end of what it printed", error.detail))
    return report
