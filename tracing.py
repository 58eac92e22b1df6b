"""Traces: a piece of work is a span, where somebody collects them.

That takes the extra `otel` and an endpoint. Without either nothing is imported, and a
caller's `traceparent` goes on as it came: a span that nobody collects would only
break it. Imports none of the layers, so that each of them can use it.
"""

import threading
from collections.abc import Mapping
from datetime import datetime
from importlib.util import find_spec
from typing import Any, Final

import structlog

_log = structlog.get_logger()

_EXTRA: Final = "opentelemetry"
_SERVICE: Final = "peoples-coin"
_HEADER: Final = "traceparent"
_PATH: Final = "/v1/traces"
# Its tries included: so long a process that ends may wait for a collector.
_SECONDS: Final = 3.0
_NANOSECONDS: Final = 1_000_000_000

Attributes = Mapping[str, str | int | None]


class Span:
    """A piece of work that has begun."""

    def __init__(self, made: Any) -> None:
        self._made = made

    @property
    def trace(self) -> str:
        """Return the `traceparent` of what this causes."""
        from opentelemetry.trace import set_span_in_context  # noqa: PLC0415
        from opentelemetry.trace.propagation import tracecontext  # noqa: PLC0415

        found: dict[str, str] = {}
        context = set_span_in_context(self._made)
        tracecontext.TraceContextTextMapPropagator().inject(found, context)
        return found[_HEADER]

    def end(
        self, *, name: str | None = None, failed: bool = False, attributes: Attributes
    ) -> None:
        """Say how it went, and what it was if that is only known now."""
        from opentelemetry.trace import StatusCode  # noqa: PLC0415

        if name is not None:
            self._made.update_name(name)
        if failed:
            self._made.set_status(StatusCode.ERROR)
        self._made.set_attributes(_given(attributes))
        self._made.end()


class _Tracing:
    """One process's spans; what collects them is made on first use, after any fork."""

    def __init__(self) -> None:
        self._endpoint = ""
        self._provider: Any = None
        self._lock = threading.Lock()

    def configure(self, endpoint: str) -> None:
        """Collect spans there; nowhere when it is empty, or the extra is missing."""
        self.stop()
        self._endpoint = endpoint
        if endpoint and find_spec(_EXTRA) is None:
            self._endpoint = ""
            _log.warning("spans_not_collected", fix="install the extra `otel`")

    def begin(
        self,
        name: str,
        *,
        kind: str,
        parent: str | None,
        began: datetime | None = None,
    ) -> Span | None:
        """Begin a span, now or at an earlier time; None where nobody collects them."""
        if not self._endpoint:
            return None
        from opentelemetry.trace import SpanKind  # noqa: PLC0415
        from opentelemetry.trace.propagation import tracecontext  # noqa: PLC0415

        carrier = {_HEADER: parent} if parent else {}
        made = self._tracer().start_span(
            name,
            context=tracecontext.TraceContextTextMapPropagator().extract(carrier),
            kind=SpanKind[kind],
            start_time=began and int(began.timestamp() * _NANOSECONDS),
        )
        return Span(made)

    def stop(self) -> None:
        """Hand over the spans that wait to be, within seconds."""
        if self._provider is not None:
            self._provider.shutdown()
            self._provider = None

    def _tracer(self) -> Any:
        with self._lock:
            if self._provider is None:
                self._provider = _provider(self._endpoint)
        return self._provider.get_tracer(_SERVICE)


def _provider(endpoint: str) -> Any:
    from opentelemetry.sdk.resources import (  # noqa: PLC0415
        OTELResourceDetector,
        Resource,
    )
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415

    # OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say otherwise.
    resource = Resource.create({"service.name": _SERVICE})
    provider = TracerProvider(resource=resource.merge(OTELResourceDetector().detect()))
    provider.add_span_processor(_processor(endpoint))
    return provider


def _processor(endpoint: str) -> Any:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
        OTLPSpanExporter,
    )
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    # Its queue is bounded, and spans beyond that are dropped: nobody waits for them.
    exporter = OTLPSpanExporter(endpoint.rstrip("/") + _PATH, timeout=_SECONDS)
    return BatchSpanProcessor(exporter)


def _given(attributes: Attributes) -> dict[str, str | int]:
    return {name: value for name, value in attributes.items() if value is not None}


_tracing: Final = _Tracing()
configure: Final = _tracing.configure
begin: Final = _tracing.begin
stop: Final = _tracing.stop
