import logging
from pathlib import Path

import pytest

from clairemap.datasets.samples import Sample, complete_samples, file_stems, hash_fraction, read_lines, train_or_val
from clairemap.errors import MissingFileError


def sample(folder: Path, name: str, *roles: str) -> Sample:
    files = {role: folder / role / f"{name}.tif" for role in roles}
    return Sample(name, "here", "train", files)  # type: ignore[arg-type]


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()


def test_hash_fraction_depends_only_on_the_name_and_is_uniform() -> None:
    assert hash_fraction("NH49E008024") == hash_fraction("NH49E008024") < 0.1
    draws = [hash_fraction(f"chip {number}") for number in range(2000)]
    assert sum(place < 0.1 for place in draws) == pytest.approx(200, abs=40)
    assert min(draws) >= 0 and max(draws) < 1
    assert {train_or_val(f"chip {number}", 0.5) for number in range(50)} == {"train", "val"}


def test_incomplete_samples_are_an_error_that_names_the_files(tmp_path: Path) -> None:
    touch(tmp_path, "optical/a.tif", "sar/a.tif", "optical/b.tif")
    with pytest.raises(MissingFileError, match=r"1 file.*of 1 sample.*sar/b\.tif.*leave_out"):
        complete_samples(
            [sample(tmp_path, "a", "optical", "sar"), sample(tmp_path, "b", "optical", "sar")], leave_out=False
        )


def test_incomplete_samples_are_left_out_with_a_warning_on_request(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    touch(tmp_path, "optical/a.tif", "sar/a.tif", "optical/b.tif")
    both = [sample(tmp_path, "a", "optical", "sar"), sample(tmp_path, "b", "optical", "sar")]
    with caplog.at_level(logging.WARNING):
        assert [one.name for one in complete_samples(both, leave_out=True)] == ["a"]
    assert str(tmp_path / "sar" / "b.tif") in caplog.text
    with pytest.raises(MissingFileError, match=r"sar/b\.tif"):
        complete_samples(both[1:], leave_out=True)


def test_a_role_that_the_data_set_lacks_is_not_missing(tmp_path: Path) -> None:
    touch(tmp_path, "sar/a.tif")
    assert complete_samples([sample(tmp_path, "a", "sar")], leave_out=False)


def test_missing_folders_and_lists_are_errors(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"rgb: no such folder.*docs/datasets\.md"):
        file_stems(tmp_path / "rgb")
    with pytest.raises(MissingFileError, match=r"train\.txt: no such file"):
        read_lines(tmp_path / "train.txt")
    (tmp_path / "list.txt").write_bytes(b"\xef\xbb\xbfa\r\n\r\n b \n")
    assert read_lines(tmp_path / "list.txt") == ["a", "b"]
