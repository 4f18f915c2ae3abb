"""The glue between Airflow and the steps of contact synchronization."""
