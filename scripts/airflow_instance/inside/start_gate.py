"""ExecStartPre= of the daemons: see ../prestart.py.

    start_gate.py NAME [--no-database]

Run as the service user, with the instance's environment, by Debian's own Python.
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__)))))

from airflow_instance.prestart import main

sys.exit(main(sys.argv[1:]))
