"""What the checks of a deployment ask AWS."""
