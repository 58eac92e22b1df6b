"""The `coin` command: run, prepare, inspect and feed The People's Coin."""

import click

from cli import (
    controller,
    controller_orders,
    controller_state,
    counting,
    doctor,
    imports,
    keys,
    migrate,
    openapi,
    operations,
    people,
    schedules,
    settings,
    tokens,
    up,
    worker,
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="peoples-coin")
def main() -> None:
    """Run and tend The People's Coin."""


for command in (
    up.up,
    migrate.migrate,
    keys.keys,
    people.people,
    tokens.tokens,
    settings.settings,
    doctor.doctor,
    imports.import_file,
    operations.operations,
    openapi.openapi,
    controller.controller,
    schedules.schedules,
    counting.tally,
    worker.worker,
):
    main.add_command(command)

for command in (
    controller_state.status,
    controller_state.explain,
    controller_state.history,
    controller_orders.set_sizes,
    controller_orders.hold,
    controller_orders.release,
):
    controller.controller.add_command(command)
