"""The settings of a node that may know less than the others."""

from collections.abc import Mapping

from domain.settings import Settings


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Return the settings; who has a login of its own needs to know no other."""
    known = environ.get("DATABASE_URL") or environ.get("OBSERVABILITY_DATABASE_URL", "")
    return Settings.from_environ({**environ, "DATABASE_URL": known})
