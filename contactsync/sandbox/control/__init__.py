"""The sandbox's own API, with which it is asked and changed."""
