"""What the task of one account does."""
