"""Everything between typed rows and COMMIT."""
