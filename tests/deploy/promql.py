"""What a PromQL expression asks for and what it answers with, checked label by label.

Prometheus answers a misspelt name or label with nothing, and says nothing of it.
"""

import re
from collections import defaultdict

import promql_parser as promql
from promql_parser import LabelModifierType, MatchOp, VectorMatchCardinality

# What Prometheus adds to all that it asks for, and what it tells of itself.
TARGET = {"job", "instance"}
OWN = {"up": set(), "ALERTS": {"alertname", "alertstate", "severity"}}
# Of these there are more values than a test has seen.
OPEN = {"status", "alertname", "method"}


class Known:
    """The metrics there are, their labels, and the values those were seen with."""

    def __init__(self):
        self.labels = {name: set(labels) for name, labels in OWN.items()}
        self.values = defaultdict(set)

    def add(self, registry, words=()):
        """Add what a registry tells, and what it will tell once that happens.

        `words` are values that labels may have, where not all have happened.
        """
        for collector, names in registry._collector_to_names.items():
            for name in names:
                own = set(getattr(collector, "_labelnames", ()))
                self._add(name, own | ({"le"} if name.endswith("_bucket") else set()))
                for label in own:
                    self.values[name, label].update(words)
        for family in registry.collect():
            for sample in family.samples:
                self._add(sample.name, set(sample.labels))
                for label, value in sample.labels.items():
                    self.values[sample.name, label].add(value)

    def _add(self, name, labels):
        self.labels.setdefault(name, set()).update(labels)

    def record(self, name, expression):
        """Add what a rule records."""
        self.labels[name] = self.answer(expression)

    def answer(self, expression):
        """Return the labels of what an expression answers, or fail."""
        text = expression.replace("$__rate_interval", "5m")
        found = self._of(promql.parse(text))
        return set() if found is None else found

    def _of(self, part):
        """Return the labels of a part; None for a number."""
        match part:
            case promql.VectorSelector():
                found = self._selected(part)
            case promql.MatrixSelector():
                found = self._of(part.vector_selector)
            case promql.ParenExpr() | promql.UnaryExpr() | promql.SubqueryExpr():
                found = self._of(part.expr)
            case promql.Call():
                found = self._called(part)
            case promql.AggregateExpr():
                found = _aggregated(part, self._of(part.expr))
            case promql.BinaryExpr():
                found = _joined(part, self._of(part.lhs), self._of(part.rhs))
            case _:
                assert isinstance(part, promql.NumberLiteral), f"{part}: what is it?"
                found = None
        return found

    def _selected(self, part):
        assert part.name in self.labels, f"no metric {part.name}"
        labels = self.labels[part.name] | TARGET
        if ":" in part.name:  # recorded: nothing is left but what was asked for
            labels = self.labels[part.name]
        for matcher in part.matchers.matchers:
            assert matcher.name in labels, f"{part.name} has no label {matcher.name}"
            seen = self.values[part.name, matcher.name]
            if seen and matcher.name not in OPEN:
                assert _selects(matcher, seen), f"{part}: none of these values"
        return labels

    def _called(self, part):
        found = [self._of(argument) for argument in part.args]
        labels = set().union(*(one for one in found if one is not None))
        if part.func.name == "histogram_quantile":
            assert "le" in labels, f"{part}: a quantile needs le"
            return labels - {"le"}
        return labels


def _selects(matcher, values):
    if matcher.op in (MatchOp.NotEqual, MatchOp.NotRe):
        return True
    if matcher.op == MatchOp.Equal:
        return matcher.value in values
    return all(
        any(re.fullmatch(one, value) for value in values)
        for one in matcher.value.split("|")
    )


def _aggregated(part, labels):
    if part.modifier is None:
        return set()
    named = set(part.modifier.labels)
    assert named <= labels, f"{part}: there is no {named - labels}"
    if part.modifier.type == promql.AggModifierType.By:
        return named
    return labels - named


def _joined(part, left, right):
    operation = str(part.op)
    if left is None or right is None:
        return right if left is None else left
    if operation == "or":
        return left | right
    matching = part.modifier.matching if part.modifier else None
    if matching is None:
        assert left == right, f"{part}: {left} never match {right}"
        return left
    named = set(matching.labels)
    if matching.type == LabelModifierType.Include:
        assert named <= left & right, f"{part}: both need {named}"
        kept = named
    else:
        kept = left - named
        assert kept == right - named, f"{part}: {left} never match {right}"
    if operation in {"and", "unless"}:
        return left
    if part.modifier.card == VectorMatchCardinality.OneToOne:
        return kept
    many = part.modifier.card == VectorMatchCardinality.ManyToOne
    return (left if many else right) | set(part.modifier.group_labels or ())
