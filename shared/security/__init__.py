"""Access tokens and sealed secrets."""
