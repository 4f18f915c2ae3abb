"""Contact synchronization: from a recorded change to a report, without any technology."""
