"""Use cases: authorise, decide, open the transaction."""
