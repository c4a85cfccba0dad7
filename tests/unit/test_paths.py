from pathlib import Path

import pytest

from clairemap.errors import SettingsError
from clairemap.paths import expanded, expanded_input


def test_variables_and_home_are_replaced(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("SCRATCH", "/s/$X")
    assert expanded("~/a") == "/home/me/a"
    assert expanded("$SCRATCH/a/${SCRATCH}") == "/s/$X/a//s/$X"
    assert expanded("a~b/100% $ 5$") == "a~b/100% $ 5$"


@pytest.mark.parametrize("value", [None, ""])
def test_a_variable_that_is_not_set_is_named(monkeypatch: pytest.MonkeyPatch, value: str | None):
    monkeypatch.delenv("NOWHERE", raising=False)
    if value is not None:
        monkeypatch.setenv("NOWHERE", value)
    with pytest.raises(SettingsError, match=r"'data/\$\{NOWHERE\}/o.tif': the variable \$NOWHERE is not set"):
        expanded("data/${NOWHERE}/o.tif")


def test_an_existing_name_with_a_dollar_is_not_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", "/home/me")
    odd = tmp_path / "100% $HOME [a-b]" / "o.tif"
    odd.parent.mkdir()
    odd.touch()
    assert expanded_input("100% $HOME [a-b]/o.tif", tmp_path) == odd
    (tmp_path / "~old").mkdir()
    assert expanded_input("~old", tmp_path) == tmp_path / "~old"
    assert expanded_input("$HOME/o.tif", tmp_path) == Path("/home/me/o.tif")
    assert expanded_input("~/o.tif", tmp_path) == Path("/home/me/o.tif")
