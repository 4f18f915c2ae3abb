"""Systems Manager's OpsItems."""
