"""The stacks of a deployment: their templates, order and regions, and what gives their parameters a value."""
