"""Which accounts are concerned: rules, and what has to be asked of the organization to apply them."""
