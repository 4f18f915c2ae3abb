"""What people read of stored state, as rows and text."""
