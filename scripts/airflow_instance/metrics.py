"""Where Prometheus finds an instance's metrics: a target file for its file_sd_configs."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from . import quoting
from .health.declare import web_url
from .instance import Instance
from .items import AbsentItem, FileItem, Item
from .layout import Layout
from .render import header


def items(instance: Instance) -> Iterable[Item]:
    """The target file, when there is something to scrape."""
    path = Layout.prometheus_file(instance.name)
    if instance.parameter("monitoring_enabled") and instance.metrics_path:
        yield FileItem(path, (header(instance.name) + targets(instance)).encode("utf-8"))
    else:
        yield AbsentItem(path)


def retired(name: str) -> Iterable[Item]:
    """An instance that is gone is not scraped."""
    yield AbsentItem(Layout.prometheus_file(name))


def targets(instance: Instance) -> str:
    """The target, labelled with the instance: several on a host must stay apart."""
    url = urlsplit(web_url(instance))
    labels = {
        "airflow_instance": instance.name,
        "__scheme__": url.scheme,
        "__metrics_path__": url.path + instance.metrics_path,
    }
    lines = [f"- targets: [{quoting.yaml(url.netloc)}]", "  labels:"]
    lines += [f"    {name}: {quoting.yaml(text)}" for name, text in labels.items()]
    return "\n".join(lines) + "\n"
