"""An Airflow on this machine, in MWAA's place."""
