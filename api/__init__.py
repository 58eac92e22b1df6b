"""HTTP in, jobs out: the only layer that knows status codes."""
