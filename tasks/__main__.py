"""`python -m tasks worker` or `beat`: Celery's own commands, and nothing beside them.

Celery's program also loads every plugin installed, Flower and a terminal among them:
twenty megabytes in each process.
"""

import secrets

import click
from celery.bin.base import CLIContext
from celery.bin.beat import beat
from celery.bin.worker import worker

from tasks import app


@click.group()
@click.pass_context
def main(context: click.Context) -> None:
    """Run Celery without banners; events are logged all the same."""
    context.obj = CLIContext(app=app, no_color=True, workdir=None, quiet=True)
    # RabbitMQ turns away a second worker of the same name: a host may run several, and
    # what a killed one held is not let go of at once.
    name = f"worker-{secrets.token_hex(4)}@%h"
    context.default_map = {worker.name: {"hostname": name}}


main.add_command(worker)
main.add_command(beat)

if __name__ == "__main__":
    main()
