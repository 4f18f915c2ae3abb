"""The checks of a deployment: what must be there before it, and whether it works; each gives findings."""
