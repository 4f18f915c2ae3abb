"""What the Lambda functions are made of; each module loads only what its function uses."""
