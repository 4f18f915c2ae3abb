"""Calls of AWS that failed: what AWS's codes mean, and the classes for each meaning."""
