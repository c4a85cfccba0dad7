from dataclasses import dataclass
from pathlib import Path

import pytest

from clairemap.artefacts.document import Part, document_text, read_document, write_document
from clairemap.errors import StoreError


class Model(Part):
    """A document of pydantic."""

    name: str
    values: tuple[float, ...] = ()


@dataclass(frozen=True)
class Plain:
    """A document that is a dataclass."""

    name: str
    values: tuple[float, ...] = ()


@pytest.mark.parametrize("document", [Model(name="é", values=(1e-7, 1 / 3)), Plain("é", (1e-7, 1 / 3))])
def test_what_is_written_is_read(tmp_path: Path, document: Model | Plain):
    write_document(tmp_path / "new" / "d.json", document)
    assert read_document(tmp_path / "new" / "d.json", type(document), "document", "a_rule") == document
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["d.json"]


def test_what_is_not_finite_is_refused():
    with pytest.raises(ValueError, match="not JSON compliant"):
        document_text(Plain("a", (float("nan"),)))


@pytest.mark.parametrize("kind", [Model, Plain])
@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "No such file"),
        ("{", "Invalid JSON"),
        ('{"name": 3}', "name: .*got 3"),
        ('{"name": "a", "values": ["x"]}', r"values\.0: .*got 'x'"),
    ],
)
def test_errors_name_file_key_value_and_remedy(tmp_path: Path, kind: type, text: str | None, said: str):
    path = tmp_path / "d.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(
        StoreError, match=rf"d\.json: not a valid document \({said}.*\); delete it and run a_rule again"
    ):
        read_document(path, kind, "document", "a_rule")


def test_unknown_keys_of_a_model_are_refused(tmp_path: Path):
    (tmp_path / "d.json").write_text('{"name": "a", "unknown": "b"}')
    with pytest.raises(StoreError, match="unknown"):
        read_document(tmp_path / "d.json", Model, "document", "a_rule")
