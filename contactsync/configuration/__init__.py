"""The configuration that operators change while the product runs: schema, versions and differences."""
