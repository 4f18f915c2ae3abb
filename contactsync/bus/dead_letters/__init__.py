"""Dead letters: what is in them, and how they are sent again."""
