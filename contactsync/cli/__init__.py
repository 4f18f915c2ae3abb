"""The command contactsync."""
