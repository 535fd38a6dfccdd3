"""What Airflow finds by the entry point."""

from airflow.plugins_manager import AirflowPlugin


def release():
    """Which release of the team's package there is, for templates."""
    from team_operators import RELEASE

    return RELEASE


class TeamPlugin(AirflowPlugin):
    name = "team"
    macros = (release,)
