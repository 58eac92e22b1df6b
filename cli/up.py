"""`coin up`: the whole stack on this machine, in the foreground."""

import http.client
import os
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import click

from cli import database, endpoints
from cli.endpoints import Endpoints, data_option
from cli.output import Output
from cli.processes import LOOPBACK, claimed, free_port
from cli.servers import (
    START_SECONDS,
    Server,
    ServerFailed,
    prepared_postgres,
    prepared_redis,
)
from cli.stack import STOP_ORDER, Stack, flower_port
from cli.standing_keys import standing_keys
from cli.supervisor import Supervisor
from domain.settings import Settings

_READY_SECONDS: Final = 90
_FLOWER_SECONDS: Final = 15
_ANSWER_SECONDS: Final = 3
_SOCKET: Final = "workers.sock"
_ANYWHERE: Final = ("", "0.0.0.0", "::")  # noqa: S104  compared with, not bound to

_WELCOME: Final = """
The People's Coin is up. Ctrl-C stops it.

  API        {api}
  Flower     {flower}
  Observer   {observer}
  Database   {database}
  Redis      {redis}

  API key of commons  {commons}
  API key of content  {content}

Three lines to paste:

  curl -sS {api}/ledger -H 'X-API-Key: {commons}' -H 'Prefer: wait=5' \
-H 'Content-Type: application/json' \
-d '{{"owner_id": "alice", "operation": "SIGNUP_CREDIT", "nonce": "alice-1"}}'
  curl -sS {api}/ledger/alice -H 'X-API-Key: {commons}'
  curl -sS {api}/ledger/trial-balance -H 'X-API-Key: {commons}'

Its processes (again with `kill -USR1 {pid}`):
"""


class PortTaken(click.ClickException):
    """Something else listens on the port."""


@click.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="Port of the API; 0 takes a free one, for Flower too.",
)
@data_option
@click.option("--flower/--no-flower", default=True, help="Show workers and tasks.")
def up(*, port: int, data: Path, flower: bool) -> None:
    """Run everything here: servers unless yours are set, API, workers, beat, Flower.

    DATABASE_URL, REDIS_URL and RABBITMQ_URL name servers of your own. REDIS_URL set
    to nothing means no broker: a worker then asks the database for work.
    """
    any_port = port == 0
    try:
        port = free_port(port)
    except OSError:
        raise PortTaken(
            f"port {port} is taken; stop what listens there, or use --port 0"
        ) from None
    with claimed(data):
        _Run(port=port, any_port=any_port, data=data, flower=flower).run()


class _Run:
    """One run of the stack, from the first server's start to the last one's end."""

    def __init__(self, *, port: int, any_port: bool, data: Path, flower: bool) -> None:
        self._port = port
        self._any_port = any_port
        self._data = data
        self._flower = flower
        self._host = os.environ.get("HOST", LOOPBACK)
        self._socket = os.environ.get("WORKERS_SOCKET") or data.resolve() / _SOCKET
        self._output = Output()
        self._supervisor = Supervisor(self._output, self._write_endpoints)
        self._endpoints: Endpoints | None = None

    def run(self) -> None:
        """Start everything, keep it running until asked to stop, stop everything."""
        self._supervisor.listen()
        endpoints.remove(self._data)  # a killed run may have left one
        with ExitStack() as held:
            held.callback(endpoints.remove, self._data)
            try:
                self._start_servers(held)
                self._start_stack()
                self._supervisor.run()
                self._output.line("stopping; Ctrl-C again kills")
            finally:
                self._endpoints = None
                self._supervisor.stop(STOP_ORDER)
            self._output.line("stopped")

    def _start_servers(self, held: ExitStack) -> None:
        environ = os.environ
        if not environ.get("DATABASE_URL"):
            server = held.enter_context(prepared_postgres(self._data))
            environ["DATABASE_URL"] = self._start_server(server)
        if "REDIS_URL" not in environ and not environ.get("RABBITMQ_URL"):
            server = held.enter_context(prepared_redis(self._data))
            environ["REDIS_URL"] = self._start_server(server)

    def _start_server(self, server: Server) -> str:
        self._supervisor.start(server.program)
        if not self._supervisor.wait_until(server.ready, START_SECONDS):
            raise ServerFailed(f"{server.program.role} did not start, see above")
        return server.url

    def _start_stack(self) -> None:
        settings = database.read_settings(os.environ)
        database.migrate(settings)
        keys = standing_keys(settings, self._data)
        flower = None
        if self._flower and settings.broker_url:
            flower = flower_port(usual=not self._any_port)
        stack = Stack(
            settings=settings,
            environment=self._environment(),
            data=self._data,
            flower_port=flower,
        )
        for program in stack.programs():
            self._supervisor.start(program)
        if settings.observability_port:
            self._supervisor.start(stack.observer())
        if not self._supervisor.wait_until(self._writable, _READY_SECONDS):
            raise ServerFailed("the API is not ready; `coin doctor` may know why")
        if flower is not None:
            self._supervisor.start(stack.flower())
            self._supervisor.wait_until(
                lambda: _answers(LOOPBACK, flower, "/healthcheck"), _FLOWER_SECONDS
            )
        self._announce(settings, keys, flower)

    def _environment(self) -> dict[str, str]:
        environment = {
            "HOST": self._host,
            "PORT": str(self._port),
            "WORKERS_SOCKET": str(self._socket),
            "PYTHONUNBUFFERED": "1",
        }
        if not os.environ.get("CONTROLLER_TARGET"):
            environment["CONTROLLER_TARGET"] = "local"
        if not os.environ.get("FLOWER_BASIC_AUTH"):
            # It listens on loopback only; its own buttons use this interface.
            environment["FLOWER_UNAUTHENTICATED_API"] = "true"
        if self._output.coloured and "LOG_FORMAT" not in os.environ:
            environment["LOG_FORMAT"] = "console"  # children see a pipe, people do not
        return environment

    def _announce(
        self, settings: Settings, keys: dict[str, str], flower: int | None
    ) -> None:
        self._endpoints = Endpoints(
            api=f"http://{self._address()}:{self._port}",
            database=settings.database_url,
            redis=settings.redis_url or None,
            flower=f"http://{LOOPBACK}:{flower}" if flower else None,
            observer=self._observer(settings.observability_port),
            workers=str(self._socket),
            key=keys["commons"],
            keys=keys,
        )
        self._write_endpoints()
        shown = {
            name: value or "-"
            for name, value in vars(self._endpoints).items()
            if isinstance(value, str | None)
        }
        self._output.line(_WELCOME.format(**shown, **keys, pid=os.getpid()))
        self._supervisor.report()
        self._output.line(f"\nready {self._endpoints.api}")

    def _observer(self, port: int) -> str | None:
        return f"http://{self._address()}:{port}" if port else None

    def _writable(self) -> bool:
        """Ask the API whether a write would succeed now."""
        return _answers(self._address(), self._port, "/status/ready")

    def _address(self) -> str:
        return LOOPBACK if self._host in _ANYWHERE else self._host

    def _write_endpoints(self) -> None:
        if self._endpoints is not None:
            self._endpoints.pids = dict(self._supervisor.pids())
            self._endpoints.write(self._data)


def _answers(host: str, port: int, path: str) -> bool:
    connection = http.client.HTTPConnection(host, port, timeout=_ANSWER_SECONDS)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
