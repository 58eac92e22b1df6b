"""What became of the entries of an import."""

from collections import Counter
from collections.abc import Iterator
from typing import IO, Any

import orjson

from cli.ledger_file import Batch


class Tally:
    """Counts outcomes, and writes down what was refused, with its line."""

    def __init__(self, refused_file: IO[bytes] | None) -> None:
        self.applied = 0
        self.replayed = 0
        self.codes: Counter[str] = Counter()
        self._file = refused_file

    @property
    def refused(self) -> int:
        """Return how many entries were refused."""
        return self.codes.total()

    def add(self, batch: Batch, job: dict[str, Any], *, replayed: bool) -> None:
        """Count a finished batch; replayed when an earlier run had sent it."""
        if job["state"] == "refused":
            outcomes = _all_refused(batch, job["problem"])
        else:
            outcomes = iter(job["result"]["outcomes"])
        for outcome in outcomes:
            if outcome["state"] == "refused":
                self._refuse(batch, outcome)
            elif replayed or outcome["state"] == "replayed":
                self.replayed += 1
            else:
                self.applied += 1

    def summary(self, seconds: float) -> str:
        """Return the lines that end an import."""
        entries = self.applied + self.replayed + self.refused
        rate = entries / max(seconds, 0.001)
        why = ", ".join(f"{code} {count:,}" for code, count in self.codes.most_common())
        lines = (
            f"entries   {entries:,}",
            f"applied   {self.applied:,}",
            f"replayed  {self.replayed:,}",
            f"refused   {self.refused:,}  {why}".rstrip(),
            f"seconds   {seconds:.1f}  ({rate:,.0f} entries a second)",
        )
        return "\n".join(lines)

    def _refuse(self, batch: Batch, outcome: dict[str, Any]) -> None:
        entry, problem = batch.entries[outcome["index"]], outcome["problem"]
        self.codes[problem["code"]] += 1
        if self._file is not None:
            line = {"line": entry.line, "entry": entry.fields, "problem": problem}
            self._file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))


def _all_refused(batch: Batch, problem: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Give each entry of a refused atomic batch its own problem, or the batch's."""
    own = {error.get("pointer"): error for error in problem.get("errors", ())}
    for index in range(len(batch.entries)):
        its = own.get(f"/entries/{index}", problem)
        yield {"index": index, "state": "refused", "problem": its}
