"""Items of DynamoDB: values, attributes and batches."""
