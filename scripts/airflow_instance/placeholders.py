"""%{name} and its like in declarations.

    %{name} %{hostname} %{fqdn} %{cpus}       of the instance and the host
    %{service_user} %{service_group}          the parameters of these names
    %{airflow_home} %{db_name} %{db_user}
    %{db_password} %{db_host} %{db_port}      in db_url only

They stand in any text of defaults.yaml and of instances.d; in secrets.d, where
a password may well contain "%{", only in db_url. %%{ is a literal %{.
A parameter may use those before it in `ORDER`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from .errors import DeclarationError
from .suggest import closest

_FORM = re.compile(r"%?%\{([^{}\n]*)\}?")
HOST = ("name", "hostname", "fqdn", "cpus")
ORDER = ("service_user", "service_group", "airflow_home", "db_name", "db_user")
IN_URL = ("db_password", "db_host", "db_port")


def expand(
    text: str,
    values: Mapping[str, str],
    where: str,
    *,
    encode: Callable[[str], str] = lambda value: value,
) -> str:
    """``text`` with every placeholder replaced by its encoded value.

    Raises DeclarationError, saying it of ``where``, for one that is not in ``values``.
    """

    def replace(match: re.Match[str]) -> str:
        if match[0].startswith("%%"):
            return match[0][1:]
        if not match[0].endswith("}"):
            raise DeclarationError(
                f"{where}: {match[0]} is a placeholder without its }}",
                hint="close it, or write %%{ for a literal %{",
            )
        if match[1] not in values:
            near = closest(match[1], values)
            raise DeclarationError(
                f"{where}: the placeholder %{{{match[1]}}} is not known there",
                hint=f"did you mean %{{{near}}}?"
                if near
                else f"known are {', '.join(sorted(values))}; %%{{ is a literal %{{",
            )
        return encode(values[match[1]])

    return _FORM.sub(replace, text)
