"""The builder of airflow-deb: parse → plan → fetch → build → verify."""
