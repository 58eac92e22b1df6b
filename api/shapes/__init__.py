"""The shapes of answers, for the document that describes the API.

An answer may gain members: whoever reads one ignores those they do not know.
"""
