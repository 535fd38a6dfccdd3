"""airflow-instance: as many isolated Airflows on a host as there are teams.

Data flows one way; everything between reading and doing is pure.

    readfile, yamlevents, document   a file under /etc/airflow -> a tree with line numbers
    schema, placeholders, secrecy    what may stand in it, what %{…} means, what is secret
    leaves, declaration              defaults < instance < secrets, merged, with origins
    parameters                       defaults added, placeholders expanded, meaning checked
    installation, versions, lint     the Airflow that is installed, and what it calls things
    keys, ports                      what is made once and kept
    packages                         what of Python it has beside the installation
    resolve -> instance.Instance     everything decided
    exposure                         what of it nobody has to give a name for
    render/*                         the Instance as files
    desired -> items                 what is to be on the host
    plan -> changes                  what of it is not so yet
    engine (tree, host)              does that
    untold                           what systemd has yet to hear of it
    site.Site                        ties these together for one host
    unpacking                        those packages put there, as the instance's user
    asuser, launch, run              programs, as the instance's user or as ourselves
    probe, heads                     its database asked without Airflow; how its schema stands
    database/*                       role and database on this host's own servers
    migration, dumps, backups, restoring, standstill   its data: made, changed, kept, brought back
    removal, trees, undo             what goes with an instance, and what is taken back
    units, systemd, running, stopping, prestart, held  its daemons
    former, moved, transition, respelling              from one Airflow to another
    moving                           from one installation to another
    health/*, watchdog, metrics      whether it lives, and who is told
    doctor/*                         what is wrong with a host, one module for each topic
    keytab, ccache -> kerberos, keytab_check   the ticket, and what keeps one from getting it
    rotation                         new keys in place of old ones, nothing unreadable between
    rights, firewall                 what its team may do; who may reach its ports
    clean_logs/*, log_cleaning       old logs deleted
    inside/*                         what runs on the installation's Python, or before a unit
    commands/*, cli, launch, manual  what people use

Where to add things
-------------------

* A parameter: data/schema.json (the only place that validates; its description is
  also the man page's), its default in `parameters.DEFAULTS`, rules that no schema
  can say in `parameters._meaning`. Read it with `Instance.parameter(NAME)`.
* An option of airflow.cfg, a spelling, a daemon, a database command of some
  version: data/versions.yaml, never an `if`. A new `when` word is added to
  `resolve._conditions`.
* Files, directories, links of an instance (drop-ins for hardening, timers, sudo or
  polkit rules, scrape files): a function Instance -> items in
  `desired.CONTRIBUTORS`, and what takes them away again, NAME -> AbsentItem, in
  `desired.RETIRED`. Give a FileItem a ``kind`` and name it in the table's
  restart_on, and the daemons concerned are restarted when it changes; kind
  `items.DROP_IN` also reloads systemd.
* Another kind of change than a file or a unit: an item in items.py, a change with
  ``describe()`` in changes.py, a branch in `plan.Planner._changes` and one in
  `engine.Engine._do` that remembers how to undo itself.
* A command: a module in commands/ with a `COMMAND`, named in `commands.MODULES`. It
  gets a `site.Site`: `site.load(NAME)`, `site.view(declared)` for the Instance,
  `site.plan([NAME])` (`moving.plan` where daemons may run), `engine.locked(site.layout)`
  around what changes things, and `launch.plan` + `launch.go` to run Airflow as the
  service user. Raise the errors of errors.py; each has its exit status.
* A word in the status column of `ls`: `commands.ls.FACTS`.
* What runs programs or asks systemd: through `host.Host`, so that an alternate root
  (AIRFLOW_INSTANCE_ROOT) and tests can stand in for it.
"""
