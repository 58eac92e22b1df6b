"""Files of ledger writes: CSV or NDJSON in, batches of checked entries out.

Read as a stream, so that a file's size does not matter; cut into batches by its
content alone, so that a second run sends the same ones.
"""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final

import click
import orjson

_OPERATION: Final = frozenset({"owner_id", "operation", "nonce"})
_TRANSFER: Final = frozenset({"from", "to", "amount", "nonce"})
_METADATA: Final = "metadata"
_LINE_BYTES_MAX: Final = 64 * 1024
# The API takes 5 MiB; brackets and commas come on top.
_BATCH_BYTES_MAX: Final = 4 * 1024 * 1024


class BadLine(click.ClickException):
    """A line that is no ledger write."""

    def __init__(self, line: int, fault: str) -> None:
        super().__init__(
            f"line {line}: {fault}. Nothing from its batch on was sent; correct the "
            "file and run the same command again, what is applied stays applied once"
        )


@dataclass(frozen=True)
class Entry:
    """One ledger write, and the line it stands on."""

    line: int
    fields: Mapping[str, Any]


@dataclass
class Batch:
    """Consecutive entries, and where in the file they end."""

    index: int
    entries: list[Entry] = field(default_factory=list)
    parts: list[bytes] = field(default_factory=list)
    end: int = 0

    def body(self, *, atomic: bool) -> bytes:
        """Return the request's body, the same for the same entries."""
        entries = b",".join(self.parts)
        return b'{"atomic":%s,"entries":[%s]}' % (orjson.dumps(atomic), entries)


class LedgerFile:
    """A file being read; `position` is how far, in bytes."""

    def __init__(self, file: BinaryIO) -> None:
        self.position = 0
        self._line = 0
        self._file = file

    def batches(self, *, size: int) -> Iterator[Batch]:
        """Cut the entries into batches of so many, or of what a request may hold."""
        batch, weight = Batch(0), 0
        for entry in self._entries():
            part = orjson.dumps(entry.fields, option=orjson.OPT_SORT_KEYS)
            full = len(batch.parts) == size
            if full or weight + len(part) > _BATCH_BYTES_MAX:
                yield batch
                batch, weight = Batch(batch.index + 1), 0
            batch.entries.append(entry)
            batch.parts.append(part)
            batch.end = self.position
            weight += len(part) + 1
        if batch.entries:
            yield batch

    def _entries(self) -> Iterator[Entry]:
        lines = self._lines()
        first = next((line for line in lines if line.strip()), "")
        if first.lstrip().startswith("{"):
            yield from self._json_entries(first, lines)
        elif first:
            yield from self._csv_entries(first, lines)

    def _lines(self) -> Iterator[str]:
        while raw := self._file.readline(_LINE_BYTES_MAX + 1):
            self._line += 1
            self.position += len(raw)
            if len(raw) > _LINE_BYTES_MAX:
                raise BadLine(self._line, f"longer than {_LINE_BYTES_MAX} bytes")
            try:
                yield raw.decode("utf-8-sig" if self._line == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise BadLine(self._line, f"not UTF-8 ({error.reason})") from None

    def _json_entries(self, first: str, rest: Iterator[str]) -> Iterator[Entry]:
        yield self._json_entry(first)
        for line in rest:
            if line.strip():
                yield self._json_entry(line)

    def _json_entry(self, text: str) -> Entry:
        try:
            fields = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise BadLine(self._line, f"not JSON ({error.msg})") from None
        if not isinstance(fields, dict):
            raise BadLine(self._line, "not a JSON object")
        return self._checked(fields)

    def _csv_entries(self, header: str, rest: Iterator[str]) -> Iterator[Entry]:
        columns = [name.strip() for name in next(csv.reader([header]))]
        if set(columns) - {_METADATA} not in (_OPERATION, _TRANSFER):
            raise BadLine(
                self._line,
                f"the header names {', '.join(columns)}; it must name owner_id,"
                "operation,nonce or from,to,amount,nonce, and may add metadata",
            )
        rows = csv.reader(rest, strict=True)
        while True:
            try:
                row = next(rows, None)
            except csv.Error as error:
                raise BadLine(self._line, f"not CSV ({error})") from None
            if row is None:
                return
            if row:
                yield self._csv_entry(columns, row)

    def _csv_entry(self, columns: list[str], row: list[str]) -> Entry:
        if len(row) != len(columns):
            raise BadLine(
                self._line, f"{len(row)} fields, the header has {len(columns)}"
            )
        fields: dict[str, Any] = dict(zip(columns, row, strict=True))
        if "amount" in fields:
            fields["amount"] = self._whole(fields["amount"])
        if metadata := fields.pop(_METADATA, ""):
            try:
                fields[_METADATA] = orjson.loads(metadata)
            except orjson.JSONDecodeError as error:
                raise BadLine(self._line, f"metadata: not JSON ({error.msg})") from None
        return self._checked(fields)

    def _whole(self, text: str) -> int:
        try:
            return int(text)
        except ValueError:
            raise BadLine(self._line, f"amount: {text!r} is no whole number") from None

    def _checked(self, fields: dict[str, Any]) -> Entry:
        """Refuse what no batch could hold; what it means is the API's to judge."""
        wanted = _OPERATION if "operation" in fields else _TRANSFER
        names = fields.keys() - {_METADATA}
        if missing := wanted - names:
            hint = (
                ", the word that keeps a write from being applied twice"
                if "nonce" in missing
                else ""
            )
            raise BadLine(self._line, f"no {', '.join(sorted(missing))}{hint}")
        if unknown := names - wanted:
            raise BadLine(self._line, f"unknown: {', '.join(sorted(unknown))}")
        if not isinstance(fields["nonce"], str) or not fields["nonce"].strip():
            raise BadLine(
                self._line,
                "the nonce must be a word, unique to this write: it is what keeps "
                "the write from being applied twice",
            )
        return Entry(self._line, fields)
