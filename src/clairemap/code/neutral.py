"""Which code changes no result. This module is the only list of it; `docs/reruns.md` explains it to users.

All names are of two kinds: dotted names of this package without its first part (``console.progress``), and dotted
names of other packages (``pydantic.Field``). A name that is missing here counts: that costs time, never a wrong result.
"""

LOGGER_FACTORY = "logging.getLogger"
LOG_METHODS = frozenset({"debug", "info", "warning", "error", "critical", "exception"})
"""Methods of a module's logger. A statement that calls one is left out, but calls within its arguments count."""

WARN = "console.warn"
"""Shows a warning on the screen; treated like a method of the logger."""

PROGRESS = "console.progress"
"""``progress(x, ...)`` yields the items of x: its other arguments are left out, and so is the whole call in a loop."""

NEUTRAL = frozenset(
    {
        ".__version__",
        "console.fail",
        "console.log",
        "console.progress",
        "console.run",
        "console.warn",
        "raster.identity.remembered",
        "raster.remote_files.may_pass",
        "raster.remote_files.read_error",
        "settings.section.settings_error",
    }
)
"""Definitions that are never followed: they read the command line, show messages, end the process, keep records,
name the version in stamps, or decide whether and how reading fails."""

ERRORS = "errors"
"""Module of the error classes. Of such a class only the name, the bases and other methods than these count."""

ERROR_MEMBERS = frozenset({"exit_code", "report"})

BUILTIN_ERRORS = frozenset(
    {
        "ArithmeticError", "AssertionError", "AttributeError", "IndexError", "KeyError", "LookupError",
        "NotImplementedError", "RuntimeError", "TypeError", "ValueError", "ZeroDivisionError",
    }
)  # fmt: skip
"""Built-in errors whose arguments are texts. Those of OSError and SystemExit are numbers that callers use."""

ANY_ERROR = frozenset({"BaseException", "Exception"})

DESCRIPTIONS = {
    "pydantic.Field": frozenset({"description"}),
    "typer.Option": frozenset({"help"}),
    "typer.Argument": frozenset({"help"}),
}
"""Keywords with a text for readers, by function."""

QUIET_CALLS = frozenset(
    {
        "abs", "float", "format", "int", "isinstance", "len", "repr", "round", "str", "type",
        "time.monotonic", "time.perf_counter", "time.time",
    }
)  # fmt: skip
"""Calls that only look at their arguments; in a log message they are left out. An iterator is not exhausted by one."""

CONSTANT_CALLS = QUIET_CALLS | frozenset(
    {
        "bool", "bytes", "complex", "dict", "dict.fromkeys", "enumerate", "filter", "frozenset", "list", "map", "max",
        "min", "pow", "range", "reversed", "set", "slice", "sorted", "sum", "tuple", "zip",
        "collections.namedtuple", "dataclasses.field", "dataclasses.fields", "datetime.date", "datetime.datetime",
        "datetime.timedelta", "fractions.Fraction", "functools.partial", "itertools.chain", "itertools.product",
        "logging.getLogger", "math.ceil", "math.exp", "math.floor", "math.log", "math.log10", "math.sqrt",
        "numpy.arange", "numpy.array", "numpy.dtype", "numpy.exp", "numpy.finfo", "numpy.float32", "numpy.float64",
        "numpy.iinfo", "numpy.int64", "numpy.linspace", "numpy.ones", "numpy.uint8", "numpy.zeros", "pathlib.Path",
        "pyarrow.field", "pyarrow.float32", "pyarrow.float64", "pyarrow.int32", "pyarrow.int64", "pyarrow.list_",
        "pyarrow.schema", "pyarrow.string", "pydantic.AfterValidator", "pydantic.ConfigDict", "pydantic.Field",
        "pydantic.TypeAdapter", "pyproj.Geod", "re.compile", "string.Template", "torch.device", "typer.Argument",
        "typer.Option", "typing.NamedTuple", "typing.NewType", "typing.TypeVar", "typing.cast", "typing.get_args",
        "zarr.codecs.BloscCodec", "zarr.codecs.Crc32cCodec",
    }
)  # fmt: skip
"""Calls whose value may be a constant of a module: they change nothing else, so the constant counts only if used."""

CONSTANT_METHODS = frozenset(
    {
        "astype", "copy", "encode", "format", "items", "join", "keys", "lower", "removeprefix", "removesuffix",
        "replace", "reshape", "split", "strip", "upper", "values",
    }
)  # fmt: skip
"""The same for methods of values."""

PLAIN_DECORATORS = frozenset(
    {
        "classmethod", "property", "staticmethod", "abc.abstractmethod", "contextlib.contextmanager",
        "dataclasses.dataclass", "enum.unique", "functools.cache", "functools.cached_property", "functools.lru_cache",
        "functools.total_ordering", "functools.wraps", "pydantic.field_validator", "pydantic.model_validator",
        "torch.autograd.function.once_differentiable", "torch.inference_mode", "torch.no_grad", "typing.final",
        "typing.overload", "typing.override", "typing.runtime_checkable",
    }
)  # fmt: skip
"""Decorators that register nothing and do not read annotations of functions."""

PLAIN_BASES = frozenset(
    {
        "BaseException", "Exception", "KeyError", "ValueError", "dict", "int", "list", "object", "str", "tuple",
        "abc.ABC", "enum.Enum", "enum.IntEnum", "enum.IntFlag", "enum.StrEnum", "pydantic.BaseModel",
        "torch.autograd.Function", "torch.nn.LayerNorm", "torch.nn.Module", "torch.utils.data.Dataset",
        "typing.Generic", "typing.NamedTuple", "typing.Protocol", "typing.TypedDict",
    }
)  # fmt: skip
"""Base classes of other packages that keep no list of their subclasses."""

ITEMWISE = frozenset({"filter", "map", "max", "min", "sorted", "functools.partial"})
"""Calls of a function that they are given, without reading its annotations."""

RUNS_TEXT = frozenset({"eval", "exec", "compile", "globals", "locals", "vars", "dir"})
"""Built-in functions that reach names of their module which no analysis can see: the whole module counts."""

READS_ANY_MODULE = frozenset(
    {"__import__", "importlib.import_module", "importlib.reload", "pkgutil", "runpy", "sys.modules"}
)
"""Names that reach any module: all of the package counts."""

READS_ERRORS = frozenset({"exc_info", "exception", "format_exc", "format_exception", "__cause__", "__context__"})
"""Attributes and functions that return errors outside a handler: texts of errors count then."""

READS_SOURCE = frozenset({"__doc__", "__subclasses__", "getdoc", "getsource", "getsourcelines", "__code__"})
"""Attributes and functions that read docstrings, code or subclasses: all imported modules count as they are written."""
