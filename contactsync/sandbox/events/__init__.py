"""CloudTrail and EventBridge: events, rules, buses and delivery."""
