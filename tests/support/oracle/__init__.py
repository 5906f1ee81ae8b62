"""A test server that speaks enough of Oracle's protocol for the real driver."""
