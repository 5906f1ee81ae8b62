"""The page at `/app`: plain files that the gateway serves, and browsers run as they are."""
