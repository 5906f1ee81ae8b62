"""What an import did, for people: a page, and a picture of the profile of its rows."""
