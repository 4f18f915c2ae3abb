"""What deploys to AWS: CloudFormation's change sets, the bucket for code, and the environment's status."""
