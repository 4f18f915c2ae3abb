"""The packages of a deployment: built from a clone, with the same bytes for the same commit."""
