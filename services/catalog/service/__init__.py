"""Use cases of the catalog; each opens its own transaction."""
