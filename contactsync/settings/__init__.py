"""What the environment says about this deployment, in groups: whoever needs a group reads it, and needs no other."""
