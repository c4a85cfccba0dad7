from clairemap.settings import changed_settings, load_settings


def test_only_differences_are_named_without_those_of_the_machine():
    assert changed_settings(load_settings({})) == {}
    settings = load_settings({"seed": 3, "report": {"title": "Täler"}, "work_dir": "elsewhere", "compute": {}})
    assert changed_settings(settings) == {"seed": "3", "report.title": '"Täler"'}
