"""The way of a change from CloudTrail to a DAG run, joined."""
