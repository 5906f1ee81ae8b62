"""The use cases of auth, by what they are about; each opens its own transaction."""
