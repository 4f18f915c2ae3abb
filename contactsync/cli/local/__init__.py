"""The commands that run a simulated organization on this machine."""
