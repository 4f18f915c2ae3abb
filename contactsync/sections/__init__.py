"""What every section of a configuration has in common."""
