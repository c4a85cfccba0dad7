import errno
from pathlib import Path

from clairemap.disk import disk_full, fullest, is_disk_full, mount_point


def test_the_message_names_file_file_system_and_free_space(tmp_path: Path):
    error = disk_full(tmp_path / "new" / "map.tif", 12.34)
    assert str(error).startswith(f"{tmp_path}/new/map.tif: no space left on {mount_point(tmp_path)} (")
    assert "MB free, up to 12.3 MB more needed); free space there" in str(error)
    assert error.exit_code == 24


def test_full_file_systems_and_quotas_are_recognised():
    assert [is_disk_full(OSError(number, "")) for number in (errno.ENOSPC, errno.EDQUOT, errno.EIO)] == [1, 1, 0]
    assert not is_disk_full(ValueError())


def test_mount_points(tmp_path: Path):
    assert mount_point(Path("/proc/self")) == Path("/proc")
    assert mount_point(tmp_path).is_mount()


def test_the_fullest_file_system(tmp_path: Path):
    assert fullest([tmp_path / "missing", Path("/proc/self/status")]) == Path(
        "/proc/self/status"
    )  # has no space at all
    assert fullest([]) is None
