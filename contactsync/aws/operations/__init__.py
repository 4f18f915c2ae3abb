"""Sync operations, outcomes, account records and desired contacts in DynamoDB."""
