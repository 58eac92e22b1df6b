"""Where the real wards are, when they are there."""

import pytest

from domain.tally import wards
from tests.databases import ROOT

FOLDER = ROOT.parent / "shared" / "data" / "scottish-wards"


@pytest.fixture(scope="session")
def real_wards():
    """Return every real ward by its file's name."""
    found = sorted(FOLDER.glob("*.csv"))
    if not found:
        pytest.skip("no real wards in ../shared/data/scottish-wards of this checkout")
    return {path.stem: wards.read(path.read_text()) for path in found}
