"""The team's operators."""

from airflow.models import BaseOperator

from team_operators import RELEASE


class ReleaseOperator(BaseOperator):
    """Tells which release of the team's package runs it."""

    def execute(self, context):
        return RELEASE
