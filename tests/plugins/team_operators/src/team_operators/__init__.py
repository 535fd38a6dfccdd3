"""What the team shares between its DAGs."""

RELEASE = "1.0"
