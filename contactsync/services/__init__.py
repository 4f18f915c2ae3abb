"""The composition: the only place where settings become adapters, and adapters become steps."""
