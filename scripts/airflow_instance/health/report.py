"""Findings as others want to read them: a monitoring system, a script, Prometheus."""

from __future__ import annotations

import json
from collections.abc import Sequence

from .rules import OK, UNKNOWN, WORDS, Finding, Limit, Measure, worst


def line(name: str, findings: Sequence[Finding]) -> str:
    """One line as monitoring plugins print it, with the numbers behind the bar."""
    status = worst([finding.status for finding in findings])
    said = [finding for finding in findings if finding.status != OK] or findings
    ranked = sorted(said, key=lambda finding: worst([finding.status, OK]) != status)
    text = ", ".join(_plain(finding.text) for finding in ranked)
    numbers = " ".join(_number(measure) for finding in findings for measure in finding.measures)
    return f"AIRFLOW {WORDS[status]}: {name}: {text}" + (f" | {numbers}" if numbers else "")


def unknown(name: str, reason: str) -> str:
    """The line for an instance that could not be looked at."""
    return f"AIRFLOW {WORDS[UNKNOWN]}: {name + ': ' if name else ''}{_plain(reason)}"


def as_json(name: str, findings: Sequence[Finding]) -> str:
    """All findings for a script."""
    status = worst([finding.status for finding in findings])
    data = {
        "name": name,
        "status": WORDS[status],
        "checks": [
            {
                "check": finding.check,
                "status": WORDS[finding.status],
                "text": finding.text,
                "measures": {label(m): m.value for m in finding.measures},
            }
            for finding in findings
        ],
    }
    return json.dumps(data)


def metrics(name: str, findings: Sequence[Finding], seconds: float, now: float) -> str:
    """The findings as Prometheus reads them; ``now`` is when, ``seconds`` how long it took."""
    own = f'airflow_instance="{name}"'
    status = worst([finding.status for finding in findings])
    checks: dict[str, list[int]] = {}
    for finding in findings:
        checks.setdefault(finding.check, []).append(finding.status)
    # By metric: what it is, and its samples.
    found: dict[str, tuple[str, list[str]]] = {
        "airflow_instance_check_timestamp_seconds": (
            "When the instance was last checked.",
            [f"{{{own}}} {now:.0f}"],
        ),
        "airflow_instance_check_duration_seconds": (
            "How long the check took.",
            [f"{{{own}}} {seconds:.3f}"],
        ),
        "airflow_instance_status": (
            "0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.",
            [f"{{{own}}} {status}"],
        ),
        "airflow_instance_check_status": (
            "The same for each thing that is looked at.",
            [f'{{{own},check="{check}"}} {worst(all_)}' for check, all_ in checks.items()],
        ),
    }
    for finding in findings:
        for measure in finding.measures:
            unit = "percent" if measure.unit == "%" else "seconds"
            metric = f"airflow_instance_{measure.name}_{unit}"
            labels = own + (f',part="{measure.part}"' if measure.part else "")
            _, samples = found.setdefault(metric, ("As the check measured it.", []))
            samples.append(f"{{{labels}}} {measure.value:g}")
    lines = []
    for metric, (what, samples) in found.items():
        lines += [f"# HELP {metric} {what}", f"# TYPE {metric} gauge"]
        lines += [metric + sample for sample in samples]
    return "\n".join(lines) + "\n"


def label(measure: Measure) -> str:
    """What a plugin calls a number."""
    return f"{measure.name}_{measure.part}" if measure.part else measure.name


def _plain(text: str) -> str:
    """``text`` on one line, without what ends the text in a plugin's output."""
    return " ".join(text.replace("|", "/").split())


def _number(measure: Measure) -> str:
    limit = measure.limit
    warning, critical = _range(limit.warning, limit), _range(limit.critical, limit)
    ends = "0;100" if measure.unit == "%" else "0"
    value = f"{measure.value:.6f}".rstrip("0").rstrip(".")
    quoted = f"'{label(measure)}'" if "/" in measure.part else label(measure)
    return f"{quoted}={value}{measure.unit};{warning};{critical};{ends}"


def _range(bound: float | None, limit: Limit) -> str:
    """A threshold as plugins write it: "10" is bad above 10, "10:" below."""
    if bound is None:
        return ""
    return f"{bound:g}:" if limit.least else f"{bound:g}"
