"""Other people's databases: where we may connect, as whom, and how their passwords are kept."""
