"""`python -m cli` is `coin`."""

from cli import main

main(prog_name="coin")
