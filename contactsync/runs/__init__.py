"""DAG runs for a person at the command line: start one, follow it, run again what failed."""
