"""Notices: what people are told about sync operations, how urgent it is, how it reads, and where it goes."""
