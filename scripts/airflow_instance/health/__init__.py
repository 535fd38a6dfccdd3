"""What `check`, the watchdog and the metrics know of an instance's health.

    declare       the Instance -> what is to be watched, rendered at apply
    target        that, read back: so that a check, which runs every minute, need not
                  read declarations (parsing and merging them is most of its cost)
    ask, units    looking: one child as the service user (child), one systemctl
    rules         what was seen -> findings, pure
    report        findings -> a line for a monitoring system, JSON, Prometheus' text
    heal          findings -> what the watchdog does about them, pure
    look          all of that together, for check and watchdog

Nothing but `declare` may import what reads YAML; and, but for `heal`, dataclasses, which
are a sixth of what a check costs. tests/bench/check.py has the figures.
"""
