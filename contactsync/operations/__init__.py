"""What is stored of a sync operation: its plan, outcomes, counts and announcements."""
