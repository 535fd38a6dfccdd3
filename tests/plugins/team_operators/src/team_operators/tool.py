"""The team's command."""

from team_operators import RELEASE


def main():
    print(f"team-tool {RELEASE}")
