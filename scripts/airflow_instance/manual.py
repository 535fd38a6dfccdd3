"""Man pages and bash completion, made from the parsers of cli.py.

    python3 -m airflow_instance.manual man DIRECTORY
    python3 -m airflow_instance.manual completion > airflow-instance

One source for --help, man and completion, so that they cannot differ. The date
is SOURCE_DATE_EPOCH's, or none: the same input gives the same pages.
"""

from __future__ import annotations

import argparse
import datetime
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from . import placeholders, schema
from .cli import EXIT_STATUS, PROGRAM, build_parser
from .commands import Command, load

FILES = (
    ("/etc/airflow/instances.d/NAME.yaml", "the declaration of an instance"),
    ("/etc/airflow/secrets.d/NAME.yaml", "its secrets, 0600, of the same form, merged on top"),
    ("/etc/airflow/defaults.yaml", "the site's defaults, of the same form, merged below"),
    ("/etc/airflow/keys.d/NAME.yaml", "keys generated once; rotate-keys replaces them"),
    ("/etc/airflow/ports.d/NAME.yaml", "ports allocated once"),
    ("/etc/airflow/environment.d/NAME.env", "rendered: the environment of daemons and people"),
    ("/usr/local/bin/airflow-NAME", "rendered: runs airflow for the instance"),
    ("/etc/airflow/check.d/NAME.conf", "rendered: what airflow-instance check looks at"),
    ("/etc/airflow/prometheus.d/NAME.yaml", "rendered: where its metrics are"),
    ("/etc/airflow/nftables.d/NAME.nft", "rendered: who may reach its ports, to be included"),
    ("/etc/sudoers.d/airflow-NAME", "rendered: what its team_group may do"),
    ("/etc/polkit-1/rules.d/50-airflow-NAME.rules", "rendered: the same for polkit 0.106 or later"),
    ("/etc/systemd/system/airflow-*@NAME.*.d/10-instance.conf", "rendered: its units' settings"),
    ("AIRFLOW_HOME/packages/", "its extra_packages, unpacked; nothing else belongs there"),
    ("/var/backups/airflow-instances/NAME/", "its backups, 0700, kept when it is dropped"),
    ("/var/log/airflow-instances/NAME-migrate.log", "what Airflow printed of its database"),
    ("/var/lib/airflow-instances/dropped/", "the declarations of instances that were dropped"),
    ("/var/lib/airflow-instances/former/NAME", "whose the database is, until it is migrated"),
    ("/var/lib/airflow-instances/rotated/", "keys that rotate-keys has replaced, 0700"),
)
PLACEHOLDERS = (*placeholders.HOST, *placeholders.ORDER, *placeholders.IN_URL)


def escape(text: str) -> str:
    """``text`` for roff: no dash turns into a hyphen, no line into a request."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\n".join(f"\\&{line}" if line[:1] in (".", "'") else line for line in text.split("\n"))


def _title(name: str, summary: str) -> list[str]:
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    day = ""
    if epoch:
        day = datetime.datetime.fromtimestamp(int(epoch), datetime.timezone.utc).date().isoformat()
    return [
        f'.TH "{escape(name.upper())}" 1 "{day}" "airflow\\-instances"',
        ".SH NAME",
        f"{escape(name)} \\- {escape(summary)}",
    ]


def _options(parser: argparse.ArgumentParser) -> Iterator[tuple[str, str]]:
    """Each argument as it is typed, with its help."""
    for action in parser._actions:  # the same list that --help is made from
        if isinstance(action, argparse._SubParsersAction):
            continue
        names = ", ".join(action.option_strings)
        metavar = action.metavar or (action.dest.upper() if action.nargs != 0 else "")
        if action.choices and not action.metavar:
            metavar = "|".join(map(str, action.choices))
        typed = f"{names} {metavar}".strip() if names else str(metavar)
        text = (action.help or "").replace("%%", "%")
        yield typed, text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")


def _table(rows: Sequence[tuple[str, str]]) -> list[str]:
    lines = []
    for term, text in rows:
        lines += [".TP", f".B {escape(term)}", escape(text)]
    return lines


def _usage(parser: argparse.ArgumentParser) -> list[str]:
    words = " ".join(parser.format_usage().split())
    return [".SH SYNOPSIS", f".B {escape(words.split(': ', 1)[1])}"]


def command_page(command: Command, parser: argparse.ArgumentParser) -> str:
    """The page airflow-instance-COMMAND(1)."""
    lines = _title(f"{PROGRAM}-{command.name}", command.help)
    lines += _usage(parser)
    lines += [".SH DESCRIPTION", escape(command.description)]
    lines += [".SH OPTIONS", *_table(list(_options(parser)))]
    if command.examples:
        lines += [".SH EXAMPLES"]
        for typed, text in command.examples:
            lines += [".TP", f".B {escape(typed)}", escape(text) or "\\&"]
    lines += [".SH EXIT STATUS", "As in", f".BR {escape(PROGRAM)} (1)."]
    lines += [".SH SEE ALSO", f".BR {escape(PROGRAM)} (1)"]
    return "\n".join(lines) + "\n"


def main_page(parser: argparse.ArgumentParser, commands: Sequence[Command]) -> str:
    """The page airflow-instance(1): commands, parameters, files, exit status."""
    lines = _title(PROGRAM, "run isolated Airflow instances side by side")
    lines += _usage(parser)
    lines += [".SH DESCRIPTION", escape(str(parser.description))]
    lines += [".SH COMMANDS", *_table([(c.name, c.help) for c in commands])]
    lines += [".SH PARAMETERS"]
    lines += _table([(name, row.get("description", "")) for name, row in _parameters()])
    lines += [".SH PLACEHOLDERS"]
    lines += [
        escape(
            "Texts in defaults.yaml and instances.d may hold "
            + ", ".join(f"%{{{name}}}" for name in PLACEHOLDERS)
            + "; the last "
            + f"{len(placeholders.IN_URL)} in db_url only. In secrets.d they stand for themselves, "
            "but in db_url. %%{ is a literal %{."
        )
    ]
    lines += [".SH FILES", *_table(FILES)]
    lines += [".SH EXIT STATUS", *_table([(str(code), text) for code, text in EXIT_STATUS])]
    lines += [".SH ENVIRONMENT"]
    lines += _table(
        [("AIRFLOW_INSTANCE_ROOT", "a directory to work on as if it were the host, for trials")]
    )
    lines += [".SH SEE ALSO"]
    lines += [", ".join(f"{escape(f'{PROGRAM}-{c.name}')}(1)" for c in commands)]
    return "\n".join(lines) + "\n"


def _parameters() -> list[tuple[str, Mapping[str, str]]]:
    return [(name, dict(row)) for name, row in schema.parameters().items()]


def subparsers(parser: argparse.ArgumentParser) -> Mapping[str, argparse.ArgumentParser]:
    """The parsers of the commands by name."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def pages() -> dict[str, str]:
    """Every man page by file name."""
    parser, commands = build_parser(), load()
    below = subparsers(parser)
    found = {f"{PROGRAM}.1": main_page(parser, commands)}
    for command in commands:
        found[f"{PROGRAM}-{command.name}.1"] = command_page(command, below[command.name])
    return found


_COMPLETION = """\
# bash completion for airflow-instance; made by airflow_instance.manual
_airflow_instance() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} command=${{COMP_WORDS[1]}} file
    local names=() options=""
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W "{commands}" -- "$word")
        return
    fi
    case $command in
{cases}
    esac
    if [[ $word == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
        return
    fi
    for file in /etc/airflow/instances.d/*.yaml; do
        [ -e "$file" ] || continue
        file=${{file##*/}}
        names+=("${{file%.yaml}}")
    done
    if [ "$command" = set ] && [ "$COMP_CWORD" -gt 2 ]; then
        mapfile -t COMPREPLY < <(compgen -S = -W "{parameters}" -- "$word")
        compopt -o nospace
        return
    fi
    mapfile -t COMPREPLY < <(compgen -W "${{names[*]}}" -- "$word")
}}
complete -F _airflow_instance airflow-instance
"""


def completion() -> str:
    """The completion for bash."""
    below = subparsers(build_parser())
    cases = []
    for name, parser in below.items():
        options = [o for a in parser._actions for o in a.option_strings if o.startswith("--")]
        cases.append(f'        {name}) options="{" ".join(options)}" ;;')
    return _COMPLETION.format(
        commands=" ".join(below), cases="\n".join(cases), parameters=" ".join(schema.parameters())
    )


def main(argv: Sequence[str]) -> int:
    if list(argv[:1]) == ["completion"] and len(argv) == 1:
        sys.stdout.write(completion())
        return 0
    if list(argv[:1]) == ["man"] and len(argv) == 2:
        place = Path(argv[1])
        place.mkdir(parents=True, exist_ok=True)
        for name, text in pages().items():
            (place / name).write_text(text, encoding="utf-8")
        return 0
    print("usage: python3 -m airflow_instance.manual man DIRECTORY | completion", file=sys.stderr)
    return 64


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
