"""The options of a declaration against the Airflow that is installed."""

from __future__ import annotations

from collections.abc import Mapping

from .installation import Installation, known_options, renamed_options
from .leaves import Leaf, Leaves
from .suggest import closest, did_you_mean
from .versions import Option, table


def user_options(
    parameters: Leaves, installation: Installation
) -> tuple[dict[Option, Leaf], list[str]]:
    """airflow_config by option, in the installed version's spelling, and warnings.

    An option that another version spells otherwise is moved: left where it is,
    our own default in the right place would silently win over it.
    """
    given: dict[Option, Leaf] = {
        (path[1], path[2]): leaf
        for path, leaf in parameters.items()
        if path[0] == "airflow_config" and len(path) == 3
    }
    options: dict[Option, Leaf] = {}
    warnings: list[str] = []
    for option, leaf in given.items():
        right = _current(option, installation)
        if right is None:
            options[option] = leaf
            warnings += _unknown(option, leaf, installation)
        elif right in given:
            warnings.append(
                f"{leaf.origin}: {_name(option)} is {_name(right)} in Airflow "
                f"{installation.version}, which is set too; only that one counts"
            )
        else:
            options[right] = leaf
            if option not in table().setting("database_url").options():
                warnings.append(
                    f"{leaf.origin}: {_name(option)} is {_name(right)} in Airflow "
                    f"{installation.version}; rendered there"
                )
    return options, warnings


def respelled(parameters: Leaves, installation: Installation) -> dict[Option, Option]:
    """What of airflow_config is in another version's spelling, and the installed one's."""
    given = {(p[1], p[2]) for p in parameters if p[0] == "airflow_config" and len(p) == 3}
    found = {option: _current(option, installation) for option in sorted(given)}
    return {old: new for old, new in found.items() if new and new not in given}


def strange(parameters: Leaves, installation: Installation) -> list[Option]:
    """What of airflow_config the installed version has under no name."""
    given = {(p[1], p[2]): leaf for p, leaf in parameters.items() if p[0] == "airflow_config"}
    return [
        option
        for option, leaf in given.items()
        if _current(option, installation) is None and _unknown(option, leaf, installation)
    ]


def _name(option: Option) -> str:
    return f"[{option[0]}] {option[1]}"


def _is_known(option: Option, installation: Installation) -> bool:
    return option[1].lower() in known_options(installation).get(option[0], ())


def _current(option: Option, installation: Installation) -> Option | None:
    """How the installed version spells an option that another version spells so."""
    for row in table().settings:
        right = row.option(installation.version)
        if right == option:
            return None
        if right and option in row.options() and not _is_known(option, installation):
            return right
    # What is not in our table Airflow may say itself.
    known = known_options(installation)
    return (
        renamed_options(installation).get(option)
        if known and not _is_known(option, installation)
        else None
    )


def _unknown(option: Option, leaf: Leaf, installation: Installation) -> list[str]:
    """A warning when the installed version has no such option; [] when it has."""
    known: Mapping[str, frozenset[str]] = known_options(installation)
    section, name = option
    ours = {row.option(installation.version) for row in table().settings}
    if (
        not known
        or option in ours
        or section in table().free_sections
        or section.startswith("kubernetes_")
        or _is_known(option, installation)
    ):
        return []
    message = f"{leaf.origin}: Airflow {installation.version} has no option {_name(option)}"
    elsewhere = sorted(other for other, names in known.items() if name.lower() in names)
    if elsewhere:
        places = " or ".join(f"[{other}]" for other in elsewhere[:3])
        return [f"{message}; there is one in {places}"]
    if section not in known:
        near = closest(section, known)
        return [f"{message}; did you mean [{near}]?" if near else f"{message}; nor the section"]
    hint = did_you_mean(name, known[section])
    if not hint:
        wide = {other: _name((place, other)) for place, names in known.items() for other in names}
        near = closest(name, wide)
        hint = f"did you mean {wide[near]}?" if near else ""
    return [f"{message}; {hint}" if hint else message]
