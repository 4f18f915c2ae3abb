"""What commands have in common: options, listings, and the terminal."""
