"""Backups: what the tables hold, written with checksums to a folder or a bucket, and put back."""
