"""Use cases of callers: a submission taken in, an import looked at and steered."""
