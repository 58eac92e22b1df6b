"""The API described by itself (OpenAPI 3.1): from its routes, rules and schemas.

What a responder takes and answers is said on it (`describing`); all else is derived
from its route and from what may be done with it (`api/permissions.py`).
"""
