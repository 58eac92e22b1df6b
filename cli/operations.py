"""`coin operations`: the applications' operations and the table that lists them."""

import click


@click.group()
def operations() -> None:
    """Compare operations in code with the database."""
