"""Which column of a source goes into which column of the table, decided once."""
