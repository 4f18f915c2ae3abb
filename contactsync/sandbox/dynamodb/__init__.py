"""DynamoDB's limits and transactions, which moto lacks."""
