"""Keeps the contacts of every AWS member account equal to those of the management account."""
