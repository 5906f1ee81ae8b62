"""HTTP in, HTTP out: imports, the calls of the older systems, saved connections, what peers ask."""
