"""Contacts as Account Management checks and keeps them."""
