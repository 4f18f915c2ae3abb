"""The event bus: what contactsync announces to other systems, how it is published, and how it is consumed once."""
