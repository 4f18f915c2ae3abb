"""How a call reaches the sandbox: HTTP, who calls, quotas, faults, delays, and the log of calls."""
