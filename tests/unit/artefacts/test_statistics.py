from pathlib import Path

import pytest

from clairemap.artefacts.statistics import BandStatistics, TrainingStatistics, read_statistics, write_statistics
from clairemap.errors import StoreError

BAND = BandStatistics(("red",), (0.1 + 0.2,), (1e-7,), (-1.0,), (1e17,))


def test_round_trip(tmp_path: Path):
    statistics = TrainingStatistics(BAND, BAND, (3, 0), 5, ("älp",), "db")
    write_statistics(tmp_path / "statistics.json", statistics)
    assert read_statistics(tmp_path / "statistics.json") == statistics


@pytest.mark.parametrize("content", [None, "{}", '{"optical": 1}', "[", '{"optical": {"bands": []}}'])
def test_damaged_file_is_an_error(tmp_path: Path, content: str | bytes | None):
    if content is not None:
        (tmp_path / "statistics.json").write_text(content)
    with pytest.raises(StoreError, match="fit_statistics"):
        read_statistics(tmp_path / "statistics.json")
