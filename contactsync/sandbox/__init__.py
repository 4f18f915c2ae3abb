"""A simulated AWS organization in one process: moto and what moto lacks, for people, tests and demonstrations."""
