"""What asks for a run: a recorded change of a contact, or a person's parameters."""
