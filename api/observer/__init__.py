"""The observability node: an application of its own that shows and changes nothing.

It imports nothing that writes, and its role in the database could not
(docs/decisions/0022).
"""
