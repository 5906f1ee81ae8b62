"""The one table of column types: their names, their limits, and which values they take."""
