"""A notice as text, JSON, chat message and SMS."""
