"""Files that are kept before they are imported: whole at once, or piece by piece (tus)."""
