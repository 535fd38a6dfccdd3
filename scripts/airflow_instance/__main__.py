"""python3 -m airflow_instance."""

import sys

from .cli import main

sys.exit(main())
