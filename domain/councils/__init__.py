"""Councils: seats that members are elected to, keep for a term, and may lose."""
