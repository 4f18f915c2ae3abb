"""The commands that show and change the configuration."""
