"""The System Controller: sense, decide, act, record, explain."""
