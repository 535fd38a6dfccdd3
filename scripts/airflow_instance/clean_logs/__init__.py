"""clean_logs FOLDER DAYS: deletes files, then empty directories, older than DAYS.

    command       the command line, and what is said
    folder        whether FOLDER is one to work in, and nobody else's at the moment
    sweep, level  the work: a walk through descriptors in constant memory

Nothing but Python itself is needed here, and no instance: the command works on a
host where nothing else of this package does. `airflow-instance clean-logs` runs it
for an instance, as its user.
"""
