"""A mail server on loopback that takes its time, and counts what it was given."""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_START_SECONDS = 10


class SlowServer:
    """Takes any message (RFC 5321), after a while; counts them by recipient.

    `draw` returns how many seconds the next one takes.
    """

    def __init__(self, draw: Callable[[], float]) -> None:
        self.url = ""
        self.received: Counter[str] = Counter()
        self._draw = draw

    async def serve(self, listening: threading.Event) -> None:
        """Listen on loopback until cancelled."""
        server = await asyncio.start_server(self._talk, "127.0.0.1", 0)
        self.url = f"smtp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        listening.set()
        async with server:
            await server.serve_forever()

    async def _talk(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        recipient = ""
        writer.write(b"220 here\r\n")
        while line := await reader.readline():
            word = line[:4].upper()
            if word == b"RCPT":
                recipient = line.split(b"<")[1].split(b">")[0].decode()
            if word == b"DATA":
                writer.write(b"354 go on\r\n")
                while await reader.readline() != b".\r\n":
                    pass
                await asyncio.sleep(self._draw())
                self.received[recipient] += 1
            writer.write(b"221 bye\r\n" if word == b"QUIT" else b"250 good\r\n")
            await writer.drain()
        writer.close()


@contextmanager
def slow_server(draw: Callable[[], float]) -> Iterator[SlowServer]:
    """Receive mail, slowly, for as long as the block lasts."""
    server, listening = SlowServer(draw), threading.Event()
    loop = asyncio.new_event_loop()
    task = loop.create_task(server.serve(listening))

    def run() -> None:
        try:
            loop.run_until_complete(task)
        except asyncio.CancelledError:
            loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    listening.wait(_START_SECONDS)
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join()
