"""What counts for a script: each construct of the language, what is left out, and what counts as a whole."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from clairemap.code.package import Package
from clairemap.code.reach import Analysis

LOGGER = "import logging\n\nlog = logging.getLogger(__name__)\n"
ERRORS = (
    "class ClairemapError(Exception):\n    exit_code = 1\n\n\nclass FaultError(ClairemapError):\n    exit_code = 2\n"
)
CONSOLE = "def progress(items, what, total=None):\n    yield from items\n\n\ndef warn(text):\n    print(text)\n"
BASE = {
    "clairemap/__init__.py": "",
    "clairemap/errors.py": ERRORS,
    "clairemap/console.py": CONSOLE,
    "clairemap/other.py": "def helper(x):\n    return x\n\n\nLIMIT = 3\n\n\ndef unused():\n    return LIMIT + 1\n",
}


def hashes(folder: Path, files: Mapping[str, str]) -> dict[str, str]:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    found = Analysis(Package(folder / "clairemap")).reached(folder / "script.py")
    return {f"{module.name}.{name}": value for (module, name), value in found.hashes.items()}


def counts(tmp_path: Path, files: Mapping[str, str], old: str, new: str, where: str = "clairemap/m.py") -> bool:
    """Whether an edit changes a hash. The script runs `f` of module `m`, unless `files` has another script."""
    files = {**BASE, "script.py": "from clairemap.m import f\n\nf()\n", **files}
    assert old in files[where], (old, files[where])
    before = hashes(tmp_path / "before", files)
    return before != hashes(tmp_path / "after", {**files, where: files[where].replace(old, new, 1)})


@pytest.mark.parametrize(
    ("module", "old", "new"),
    {
        "a function": ("def f():\n    return 1\n", "1", "2"),
        "a function that it calls": ("def g():\n    return 1\n\n\ndef f():\n    return g()\n", "1", "2"),
        "a constant": ("A = 1\n\n\ndef f():\n    return A\n", "1", "2"),
        "a constant of a constant": ("B = 1\nA = B + 1\n\n\ndef f():\n    return A\n", "B = 1", "B = 2"),
        "a constant that is changed later": ("A = 1\nA += 1\n\n\ndef f():\n    return A\n", "+= 1", "+= 2"),
        "an unpacked constant": ("A, B = 1, 2\n\n\ndef f():\n    return B\n", "2", "3"),
        "a constant within a condition": ("if True:\n    A = 1\n\n\ndef f():\n    return A\n", "= 1", "= 2"),
        "a class": ("class C:\n    a = 1\n\n\ndef f():\n    return C()\n", "1", "2"),
        "a method": ("class C:\n    def m(self):\n        return 1\n\n\ndef f(c=None):\n    return C\n", "1", "2"),
        "a base class": ("class B:\n    a = 1\n\n\nclass C(B):\n    pass\n\n\ndef f():\n    return C()\n", "1", "2"),
        "the bases of a class": (
            "class B:\n    pass\n\n\nclass C(B):\n    pass\n\n\ndef f():\n    return C()\n",
            "(B)",
            "",
        ),
        "annotations of a class": ("class C:\n    a: int\n\n\ndef f():\n    return C()\n", "int", "str"),
        "a quoted annotation of a class": (
            "class B:\n    a = 1\n\n\nclass C:\n    b: 'B'\n\n\ndef f():\n    return C()\n",
            "a = 1",
            "a = 2",
        ),
        "a decorator": ("def d(g):\n    return 1\n\n\n@d\ndef f():\n    return 1\n", "    return 1", "    return 2"),
        "the order of decorators": (
            "import functools\n\n\n@functools.cache\n@staticmethod\ndef f():\n    return 1\n",
            "@functools.cache\n@staticmethod",
            "@staticmethod\n@functools.cache",
        ),
        "a default value": ("A = 1\n\n\ndef f(a=A):\n    return a\n", "A = 1", "A = 2"),
        "a keyword default": ("A = 1\n\n\ndef f(*, a=A):\n    return a\n", "A = 1", "A = 2"),
        "a nested function": ("A = 1\n\n\ndef f():\n    def g():\n        return A\n    return g\n", "A = 1", "A = 2"),
        "a lambda": ("A = 1\n\n\ndef f():\n    return lambda x: A\n", "A = 1", "A = 2"),
        "the iterable of a comprehension of the same name": (
            "a = [1]\n\n\ndef f():\n    return [a for a in a]\n",
            "[1]",
            "[2]",
        ),
        "a global": ("A = 1\n\n\ndef f():\n    global A\n    A = 2\n", "A = 1", "A = 3"),
        "a global within a function that has such a name": (
            "A = 1\n\n\ndef f():\n    A = 5\n    def g():\n        global A\n        return A\n    return g, A\n",
            "A = 1",
            "A = 2",
        ),
        "a match statement": (
            "A = 1\n\n\ndef f(x=1):\n    match x:\n        case _:\n            return A\n",
            "A = 1",
            "A = 2",
        ),
        "an import of another package": (
            "import math\n\n\ndef f():\n    return math.pi\n",
            "import math",
            "import cmath as math",
        ),
        "another name of an import": ("from math import e as x\n\n\ndef f():\n    return x\n", "e as x", "pi as x"),
        "an import for its effect": ("import readline\n\n\ndef f():\n    return 1\n", "readline", "rlcompleter"),
        "a default value with an effect, of a function that is not reached": (
            "import atexit\n\n\ndef g(a=atexit.register(print)):\n    return a\n\n\ndef f():\n    return 1\n",
            "print",
            "len",
        ),
        "a class whose metaclass may keep a list": (
            "class M(type):\n    pass\n\n\nclass B(metaclass=M):\n    pass\n\n\n"
            "class C(B):\n    a = 1\n\n\ndef f():\n    return 1\n",
            "a = 1",
            "a = 2",
        ),
        "a statement that runs on import": (
            "import os\n\nos.environ['A'] = '1'\n\n\ndef f():\n    return 1\n",
            "'1'",
            "'2'",
        ),
        "a call as a statement": (
            "import sys\n\nsys.setrecursionlimit(500)\n\n\ndef f():\n    return 1\n",
            "500",
            "600",
        ),
        "a constant from an unknown call": (
            "import numpy as np\n\nOLD = np.seterr(all='raise')\n\n\ndef f():\n    return 1\n",
            "raise",
            "warn",
        ),
        "a function that registers itself": (
            "KNOWN = []\n\n\n@KNOWN.append\ndef g():\n    return 1\n\n\ndef f():\n    return KNOWN\n",
            "return 1",
            "return 2",
        ),
        "a subclass that registers itself": (
            "KNOWN = []\n\n\nclass B:\n    def __init_subclass__(cls):\n        KNOWN.append(cls)\n\n\n"
            "class C(B):\n    a = 1\n\n\ndef f():\n    return KNOWN\n",
            "a = 1",
            "a = 2",
        ),
        "an object that registers itself": (
            "KNOWN = []\n\n\nclass B:\n    def __init__(self, a):\n        KNOWN.append(a)\n\n\n"
            "b = B(1)\n\n\ndef f():\n    return KNOWN\n",
            "B(1)",
            "B(2)",
        ),
    }.values(),
)
def test_what_a_function_reaches_counts(tmp_path: Path, module: str, old: str, new: str):
    assert counts(tmp_path, {"clairemap/m.py": module}, old, new)


@pytest.mark.parametrize(
    "module",
    [
        "from clairemap.other import helper\n\n\ndef f():\n    return helper(1)\n",
        "from clairemap.other import helper as h\n\n\ndef f():\n    return h(1)\n",
        "from clairemap import other\n\n\ndef f():\n    return other.helper(1)\n",
        "from . import other\n\n\ndef f():\n    return other.helper(1)\n",
        "from .other import helper\n\n\ndef f():\n    return helper(1)\n",
        "import clairemap.other\n\n\ndef f():\n    return clairemap.other.helper(1)\n",
        "import clairemap.other as o\n\n\ndef f():\n    return o.helper(1)\n",
        "def f():\n    from clairemap.other import helper\n    return helper(1)\n",
        "def f():\n    import clairemap.other\n    return clairemap.other.helper(1)\n",
        "def f():\n    from clairemap import other as o\n    return map(o.helper, [1])\n",
        "from clairemap import other\n\nchosen = other.helper\n\n\ndef f():\n    return chosen(1)\n",
        "from clairemap import other\n\n\ndef f():\n    h = other.helper\n    return h(1)\n",
        "try:\n    from clairemap.other import helper\nexcept ImportError:\n    helper = None\n\n\n"
        "def f():\n    return helper\n",
    ],
)
def test_names_are_followed_through_imports_and_no_further(tmp_path: Path, module: str):
    files = {"clairemap/m.py": module}
    assert counts(tmp_path / "1", files, "return x", "return -x", "clairemap/other.py")
    assert not counts(tmp_path / "2", files, "LIMIT + 1", "LIMIT + 2", "clairemap/other.py")


def test_a_module_that_a_function_imports_runs(tmp_path: Path):
    files = {
        "clairemap/n.py": "import os\n\nos.environ['A'] = '1'\n",
        "clairemap/m.py": "def f():\n    import clairemap.n\n\n    return 1\n",
    }
    assert counts(tmp_path, files, "'1'", "'2'", "clairemap/n.py")


def test_names_are_followed_through_a_package_that_passes_them_on(tmp_path: Path):
    files = {
        "clairemap/p/__init__.py": "from clairemap.p.inner import helper as passed\n\n__all__ = ['passed']\n",
        "clairemap/p/inner.py": "def helper():\n    return 1\n\n\ndef unused():\n    return 5\n",
        "clairemap/m.py": "from clairemap.p import passed\n\n\ndef f():\n    return passed()\n",
    }
    assert counts(tmp_path / "1", files, "return 1", "return 2", "clairemap/p/inner.py")
    assert not counts(tmp_path / "2", files, "return 5", "return 6", "clairemap/p/inner.py")


@pytest.mark.parametrize(
    "module",
    {
        "a computed name": "from clairemap import other\n\n\ndef f(n='x'):\n    return getattr(other, n)\n",
        "a module as a value": "from clairemap import other\n\n\ndef f():\n    return vars(other)\n",
        "a module in a table": "from clairemap import other\n\nTABLE = {'a': other}\n\n\ndef f():\n    return TABLE\n",
        "a module with a new name": (
            "from clairemap import other\n\n\ndef f():\n    o = other\n    return o.helper(1)\n"
        ),
        "a star import": "from clairemap.other import *\n\n\ndef f():\n    return made_up\n",
        "a name that the module lacks": "from clairemap import other\n\n\ndef f():\n    return other.made_up\n",
        "importlib": "import importlib\n\n\ndef f(n='x'):\n    return importlib.import_module(n)\n",
        "__import__": "def f(n='x'):\n    return __import__(n)\n",
        "sys.modules": "import sys\n\n\ndef f(n='x'):\n    return sys.modules[n]\n",
        "a module in a text": "RUN = ['python', '-m', 'clairemap.other']\n\n\ndef f():\n    return RUN\n",
    }.values(),
)
def test_what_cannot_be_resolved_counts_as_a_whole(tmp_path: Path, module: str):
    assert counts(tmp_path, {"clairemap/m.py": module}, "LIMIT + 1", "LIMIT + 2", "clairemap/other.py")


@pytest.mark.parametrize(
    "body",
    ["return globals()['g']()", "return eval('g()')", "return made_up_name", "exec('g()')", "return locals()"],
)
def test_a_module_that_reaches_its_own_names_unseen_counts_as_a_whole(tmp_path: Path, body: str):
    assert counts(tmp_path, {"clairemap/m.py": f"def g():\n    return 1\n\n\ndef f():\n    {body}\n"}, "1", "2")


@pytest.mark.parametrize(
    ("module", "old", "new"),
    {
        "an unused function": ("def g():\n    return 1\n\n\ndef f():\n    return 0\n", "1", "2"),
        "an unused class": ("class C:\n    a = 1\n\n\ndef f():\n    return 0\n", "1", "2"),
        "an unused constant": ("import re\n\nA = re.compile('a')\n\n\ndef f():\n    return 0\n", "'a'", "'b'"),
        "the name of a parameter": ("A = 1\n\n\ndef f(A=0):\n    return A\n", "A = 1", "A = 2"),
        "a local variable": ("A = 1\n\n\ndef f():\n    A = 0\n    return A\n", "A = 1", "A = 2"),
        "a comment": ("def f():\n    return 0\n", "def", "# why\ndef"),
        "a docstring": ('def f():\n    """Some."""\n    return 0\n', "Some", "Other"),
        "a module's docstring": ('"""Some."""\n\n\ndef f():\n    return 0\n', "Some", "Other"),
        "a docstring of a constant": ('A = 1\n"""Some."""\n\n\ndef f():\n    return A\n', "Some", "Other"),
        "an annotation": ("def f(a: int = 1) -> int:\n    return a\n", "-> int", "-> float"),
        "an annotation of a variable": ("def f():\n    a: int = 1\n    return a\n", "a: int", "a"),
        "an annotation of a constant": ("A: int = 1\n\n\ndef f():\n    return A\n", ": int", ""),
        "an import for type checkers": (
            "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    import ast\n\n\n"
            "def f(a: 'ast.AST' = 1):\n    return a\n",
            "import ast",
            "import ast as x",
        ),
        "code of a script": ("def f():\n    return 0\n\n\nif __name__ == '__main__':\n    f(1)\n", "f(1)", "f(2)"),
        "a log message": (f"{LOGGER}\n\ndef f():\n    log.info('some')\n    return 0\n", "some", "other"),
        "a new log message": (f"{LOGGER}\n\ndef f():\n    return 0\n", "    return", "    log.info('new')\n    return"),
        "a log message under a condition": (
            f"{LOGGER}\n\ndef f(a=0):\n    return a\n",
            "    return",
            "    if a > 1:\n        log.warning('%d', a)\n    return",
        ),
        "a figure in a log message": (
            f"{LOGGER}\n\ndef f(a=1.0):\n    log.info('%d', a)\n    return a\n",
            ", a)",
            ", round(a))",
        ),
        "a logger with another name": (
            "import logging\n\nLOGGER = logging.getLogger('a')\n\n\ndef f():\n    LOGGER.debug('a')\n",
            "debug('a')",
            "debug('b')",
        ),
        "a warning": ("from clairemap.console import warn\n\n\ndef f():\n    warn('a')\n", "'a'", "'b'"),
        "a label of progress": (
            "from clairemap.console import progress\n\n\n"
            "def f():\n    for x in progress([1], 'a'):\n        print(x)\n",
            "'a'",
            "'b', 1",
        ),
        "progress in a loop": (
            "from clairemap.console import progress\n\n\n"
            "def f():\n    for x in progress([1], 'a'):\n        print(x)\n",
            "progress([1], 'a')",
            "[1]",
        ),
        "a label of progress elsewhere": (
            "from clairemap import console\n\n\ndef f():\n    return sum(console.progress([1], 'a'))\n",
            "'a'",
            "'b'",
        ),
        "the text of an error": (
            "from clairemap.errors import FaultError\n\n\ndef f():\n    raise FaultError('a')\n",
            "'a'",
            "f'{f!r}'",
        ),
        "the text of a built-in error": ("def f():\n    raise ValueError('a')\n", "'a'", "'b'"),
        "a text of an error from a function": (
            "from clairemap.errors import FaultError\n\n\n"
            "def text():\n    return 1\n\n\ndef f():\n    raise FaultError(text())\n",
            "1",
            "2",
        ),
        "an error that is returned": (
            "from clairemap.errors import FaultError\n\n\ndef f():\n    return FaultError('a')\n",
            "'a'",
            "'b'",
        ),
        "the cause of an error": (
            "def f():\n    try:\n        pass\n    except OSError as error:\n        raise ValueError from error\n",
            "from error",
            "from None",
        ),
        "the text of an assertion": ("def f():\n    assert f, 'a'\n", "'a'", "'b'"),
        "a description": (
            "from pydantic import Field\n\n\ndef f(a=Field(1, description='a')):\n    return a\n",
            "='a'",
            "='b'",
        ),
        "a pass statement": ("def f():\n    return 0\n", "    return", "    pass\n    return"),
        "a constant of a known call": (
            "from pathlib import Path\n\nA = Path('a')\n\n\ndef f():\n    return 0\n",
            "'a'",
            "'b'",
        ),
        "an object of a plain class": (
            "from dataclasses import dataclass\n\n\n"
            "@dataclass\nclass C:\n    a: int\n\n\nA = C(1)\n\n\ndef f():\n    return 0\n",
            "C(1)",
            "C(2)",
        ),
    }.values(),
)
def test_what_changes_no_result_does_not_count(tmp_path: Path, module: str, old: str, new: str):
    assert not counts(tmp_path, {"clairemap/m.py": module}, old, new)


@pytest.mark.parametrize(
    ("module", "old", "new"),
    {
        "an effect within a log message": (
            f"{LOGGER}\n\ndef f(a=[]):\n    log.info('%s', a.pop())\n    return a\n",
            "a.pop()",
            "a.pop(0)",
        ),
        "an effect that leaves a log message": (
            f"{LOGGER}\n\ndef f(a=[]):\n    log.info('%s', a.pop())\n    return a\n",
            "a.pop()",
            "a",
        ),
        "an assignment within a log message": (
            f"{LOGGER}\n\ndef f():\n    log.info('%s', (a := 1))\n    return a\n",
            ":= 1",
            ":= 2",
        ),
        "an exhausted iterator in a log message": (
            f"{LOGGER}\n\ndef f(a=iter('a')):\n    log.info('%s', [*(x for x in a)])\n    return a\n",
            "x for x in a",
            "x for x in b",
        ),
        "an iterator that a log message exhausts": (
            f"{LOGGER}\n\ndef f(a=iter('a')):\n    log.info('%s', *a)\n    return a\n",
            "    log.info('%s', *a)\n",
            "",
        ),
        "a search in a log message": (
            f"{LOGGER}\n\ndef f(a=iter('a')):\n    log.info('%s', 1 in a)\n    return a\n",
            "    log.info('%s', 1 in a)\n",
            "",
        ),
        "an index in a log message": (
            f"{LOGGER}\n\ndef f(a={{}}):\n    log.info('%s', a[1])\n    return a\n",
            "a[1]",
            "a[2]",
        ),
        "the text of an error from elsewhere": (
            "import traceback\n\n\ndef f():\n    try:\n        raise ValueError('a')\n    except ValueError:\n"
            "        return traceback.format_exc()\n",
            "'a'",
            "'b'",
        ),
        "the text of the error of a future": (
            "def g():\n    raise ValueError('a')\n\n\ndef f(pool=None):\n    return str(pool.submit(g).exception())\n",
            "'a'",
            "'b'",
        ),
        "the value of a log method": (f"{LOGGER}\n\ndef f():\n    return log.info('a')\n", "'a'", "'b'"),
        "an object with the name of a logger": ("def f(log=[]):\n    log.info('a')\n    return log\n", "'a'", "'b'"),
        "another object with the name of a logger": ("log = {}\n\n\ndef f():\n    log.info('a')\n", "'a'", "'b'"),
        "an imported name of a logger": (
            f"{LOGGER}\n\ndef f():\n    from math import pi as log\n    log.info('a')\n",
            "'a'",
            "'b'",
        ),
        "another method of a logger": (f"{LOGGER}\n\ndef f():\n    log.addHandler('a')\n", "'a'", "'b'"),
        "a condition with an effect": (
            f"{LOGGER}\n\ndef f(a=[]):\n    if a.pop():\n        log.info('a')\n    return a\n",
            "a.pop()",
            "a.pop(0)",
        ),
        "another function named progress": (
            "def progress(x, y):\n    return y\n\n\ndef f():\n    return progress(1, 'a')\n",
            "'a'",
            "'b'",
        ),
        "the items of progress": (
            "from clairemap.console import progress\n\n\ndef f():\n    return list(progress([1], 'a'))\n",
            "[1]",
            "[2]",
        ),
        "an effect in a label of progress": (
            "from clairemap.console import progress\n\n\ndef f(a=[]):\n    return list(progress([1], a.pop()))\n",
            "a.pop()",
            "a.pop(0)",
        ),
        "progress as a value": (
            "from clairemap.console import progress\n\n\ndef f():\n    x = progress([1], 'a')\n    return [*x, *x]\n",
            "progress([1], 'a')",
            "[1]",
        ),
        "that an error is raised": (
            "def f(a=1):\n    if a:\n        raise ValueError('a')\n",
            "raise ValueError('a')",
            "print('a')",
        ),
        "the class of an error": (
            "from clairemap import errors\n\n\ndef f():\n    raise errors.FaultError('a')\n",
            "errors.FaultError",
            "errors.ClairemapError",
        ),
        "the number of an OSError": ("def f():\n    raise OSError(28, 'a')\n", "28", "122"),
        "the code of an exit": ("def f():\n    raise SystemExit(1)\n", "1", "2"),
        "the value of an error of another module": (
            "from json import JSONDecodeError\n\n\ndef f():\n    raise JSONDecodeError('a', 'b', 0)\n",
            "'b'",
            "'c'",
        ),
        "an assignment in the text of an error": (
            "def f():\n    try:\n        raise ValueError(a := 1)\n    except ValueError:\n        return a\n",
            ":= 1",
            ":= 2",
        ),
        "the text of an error that is used": (
            "def g():\n    raise ValueError('a')\n\n\n"
            "def f():\n    try:\n        g()\n    except ValueError as e:\n        return str(e)\n",
            "'a'",
            "'b'",
        ),
        "the text of an error of ours that is used": (
            "from clairemap.errors import FaultError\n\n\n"
            "def g():\n    raise FaultError('a')\n\n\ndef f():\n"
            "    try:\n        g()\n    except FaultError as e:\n        return e.args\n",
            "'a'",
            "'b'",
        ),
        "the text of any error that is used": (
            "def g():\n    raise ValueError('a')\n\n\n"
            "def f():\n    try:\n        g()\n    except (OSError, Exception) as e:\n        return str(e)\n",
            "'a'",
            "'b'",
        ),
        "a docstring that is read": (
            'def g():\n    """Some."""\n\n\ndef f():\n    return g.__doc__\n',
            "Some",
            "Other",
        ),
        "source code that is read": (
            "import inspect\n\n\ndef g():\n    return 1  \n\n\n"
            "def f():\n    '''A.'''\n    return inspect.getsource(f)\n",
            "A.",
            "B.",
        ),
        "source code that an imported function reads": (
            "from inspect import getsource\n\n\ndef f():\n    '''A.'''\n    return getsource(f)\n",
            "A.",
            "B.",
        ),
        "an effect in the cause of an error": (
            "def f(a=[]):\n    raise ValueError from a.pop()\n",
            "a.pop()",
            "a.pop(0)",
        ),
        "subclasses that are listed": (
            "class B:\n    pass\n\n\nclass C(B):\n    a = 1\n\n\ndef f():\n    return B.__subclasses__()\n",
            "a = 1",
            "a = 2",
        ),
        "annotations under an unknown decorator": (
            "import typer\n\napp = typer.Typer()\n\n\n@app.command()\ndef f(a: int = 1):\n    return a\n",
            "a: int",
            "a: float",
        ),
        "annotations of a function that is passed on": (
            "import typer\n\n\ndef g(a: int):\n    return a\n\n\ndef f():\n    typer.run(g)\n",
            "a: int",
            "a: float",
        ),
        "a text that is no docstring": ("def f():\n    return 'a'\n", "'a'", "'b'"),
        "a keyword named like a description": (
            "def g(description):\n    return description\n\n\ndef f():\n    return g(description='a')\n",
            "'a'",
            "'b'",
        ),
        "True instead of 1": ("def f():\n    return 1\n", "1", "True"),
        "an empty text instead of None": ("def f():\n    return None\n", "None", "''"),
    }.values(),
)
def test_what_looks_like_it_but_may_change_a_result_counts(tmp_path: Path, module: str, old: str, new: str):
    assert counts(tmp_path, {"clairemap/m.py": module}, old, new)


RAISING = "from clairemap.errors import FaultError\n\n\ndef f():\n    raise FaultError('a')\n"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("exit_code = 2", "exit_code = 3", False),
        ("exit_code = 1", "exit_code = 3", False),
        ("(ClairemapError)", "(KeyError)", True),
        ("exit_code = 2", "exit_code = 2\n\n    def __str__(self):\n        return ''", True),
        ("class FaultError", "class NewError(ClairemapError):\n    pass\n\n\nclass FaultError", False),
    ],
)
def test_of_an_error_class_bases_and_other_methods_count(tmp_path: Path, old: str, new: str, expected: bool):
    assert counts(tmp_path, {"clairemap/m.py": RAISING}, old, new, "clairemap/errors.py") == expected


def test_the_console_does_not_count(tmp_path: Path):
    module = (
        "from clairemap.console import progress, warn\n\n\n"
        "def f():\n    warn('a')\n    return list(progress([], 'a'))\n"
    )
    for number, (old, new) in enumerate([("yield from items", "yield 1"), ("print(text)", "print(text, 1)")]):
        assert not counts(tmp_path / str(number), {"clairemap/m.py": module}, old, new, "clairemap/console.py")


def test_another_function_of_the_console_counts(tmp_path: Path):
    files = {
        "clairemap/console.py": f"{CONSOLE}\n\ndef answer():\n    return 1\n",
        "clairemap/m.py": "from clairemap.console import answer\n\n\ndef f():\n    return answer()\n",
    }
    assert counts(tmp_path, files, "return 1", "return 2", "clairemap/console.py")


def test_definitions_have_qualified_names(tmp_path: Path):
    module = "A = 1\n\n\nclass C:\n    pass\n\n\ndef f():\n    return C, A\n"
    script = "from clairemap.m import f\n\n\ndef stage():\n    f()\n\n\nstage()\n"
    found = hashes(tmp_path, {**BASE, "clairemap/m.py": module, "script.py": script})
    assert set(found) == {"m.A", "m.C", "m.f", "script.stage", "script.(statements)"}


def test_a_moved_definition_counts(tmp_path: Path):
    """Its new module has other names, so that what it reaches may have changed."""
    module = "from clairemap.other import helper\n\n\ndef f():\n    return helper(1)\n"
    files = {"clairemap/m.py": module, "clairemap/another.py": BASE["clairemap/other.py"]}
    assert counts(tmp_path, files, "clairemap.other", "clairemap.another")


def test_modules_that_import_each_other_end(tmp_path: Path):
    files = {
        "clairemap/m.py": "from clairemap import n\n\n\ndef f():\n    return n.g()\n",
        "clairemap/n.py": "from clairemap import m\n\n\ndef g():\n    return m.f\n\n\ndef h():\n    return 1\n",
    }
    assert not counts(tmp_path, files, "return 1", "return 2", "clairemap/n.py")


def test_a_type_parameter_and_a_class_attribute_are_no_unknown_names(tmp_path: Path):
    module = "class C:\n    a = 1\n    b = a + 1\n\n\ndef g():\n    return 5\n\n\ndef f():\n    return C\n"
    assert not counts(tmp_path, {"clairemap/m.py": module}, "return 5", "return 6")
