"""PostgreSQL and Redis: connections, transactions, and what is kept in tables of the same shape."""
