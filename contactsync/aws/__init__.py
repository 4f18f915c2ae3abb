"""Adapters: the only readers of AWS response shapes and error codes, one file each."""
