"""Settings that Snakemake would ignore without a word are an error."""

import pytest

from clairemap.errors import SettingsError
from clairemap.operations.command_line import parsed
from clairemap.operations.given_options import check_given_once


@pytest.mark.parametrize(
    ("line", "option"),
    [
        ("--configfile a.yaml --cores 2 --configfile b.yaml", "--configfile"),
        ("--configfile=a.yaml --configfiles b.yaml", "--configfile"),
        ("--config seed=1 -n --config work_dir=w", "--config"),
        ("-C seed=1 --config work_dir=w", "--config"),
    ],
)
def test_several_options_with_settings_are_refused(line: str, option: str):
    for check in (check_given_once, parsed):
        with pytest.raises(SettingsError, match=f"^{option} is given 2 times, but Snakemake uses only the last one"):
            check(line.split())


def test_several_files_and_values_after_one_option_are_fine():
    check_given_once(["snakemake", "--configfile", "a.yaml", "b.yaml", "--config", "seed=1", "work_dir=w"])
