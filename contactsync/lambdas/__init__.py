"""The handlers of the Lambda functions in infra/."""
