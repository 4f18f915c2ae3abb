"""A deployment: what is released, what it changes in the stacks, and how every stack is brought to its end."""
