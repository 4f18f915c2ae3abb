"""SNS, chat and User Notifications: what is delivered to whom."""
