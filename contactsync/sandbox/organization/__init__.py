"""The simulated organization and its accounts."""
