"""The stored things that have no room of their own, one module each."""
