"""Wire models that only the catalog uses."""
