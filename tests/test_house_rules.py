"""The layout of the house: import-linter's contracts, and what import-linter cannot say."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "src" / "aegis_authz"
FILES = sorted(PACKAGE.rglob("*.py"))
TESTS = Path(__file__).parent

MOST_FILE_LINES = 400
MOST_FUNCTION_LINES = 60
BANNED_WORDS = {"utils", "util", "helpers", "helper", "common", "manager", "base", "misc"}
MOST_VAGUE_NAMES = 0.005
"""Of all names that are bound, how many may be pronouns or participles."""
GRPC_ROOMS = ("adapters/otlp.py", "server/", "wire/envoy/")
LIVING_ROOMS = ("adapters/", "server/", "local/", "demo/", "cli/", "telemetry/")
"""Where wall clocks, chance and tasks of one's own may be."""
STARTING_ROOMS = (*LIVING_ROOMS, "bootstrap/")
"""Where tasks may be started: the composition root starts what runs beside the server."""
PROTOCOLS = ("redis", "grpc", "http", "jsonrpc", "envoy")
"""What core may not name: how a call came in, and where its effects are kept, is the business of others."""
SHARDING = {"zlib", "binascii"}
"""Modules with a crc: which partition a key is in is the business of a store."""
CHANCE = {"uuid", "random", "secrets"}
WALL_CLOCKS = {("time", "time"), ("time", "time_ns"), ("datetime", "now"), ("datetime", "utcnow"), ("date", "today")}


def _place(file: Path) -> str:
    return file.relative_to(PACKAGE).as_posix()


def _imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and dotted name of each module imported."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module is not None:
            yield node.lineno, node.module


def _long_functions(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > MOST_FUNCTION_LINES:
                yield f"line {node.lineno}: {node.name} has {length} lines"


def _swallowed(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler) and all(
            isinstance(step, ast.Pass) or (isinstance(step, ast.Expr) and isinstance(step.value, ast.Constant))
            for step in node.body
        ):
            yield f"line {node.lineno}: an exception is swallowed"


def _tasks(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        # A task group waits for its tasks; only a task nobody owns is at issue.
        if (
            isinstance(node, ast.Attribute)
            and node.attr in ("create_task", "ensure_future")
            and isinstance(node.value, ast.Name)
            and node.value.id in ("asyncio", "loop")
        ):
            yield f"line {node.lineno}: {node.value.id}.{node.attr}"


def _clocks_and_chance(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            owner = node.value.id if isinstance(node.value, ast.Name) else getattr(node.value, "attr", "")
            if (owner, node.attr) in WALL_CLOCKS:
                yield f"line {node.lineno}: {owner}.{node.attr}"
        elif isinstance(node, ast.ImportFrom) and node.module == "time":
            yield from (f"line {node.lineno}: time.{alias.name}" for alias in node.names if alias.name == "time")
    yield from (f"line {line}: {name}" for line, name in _imports(tree) if name.split(".")[0] in CHANCE)


def _any(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id == "Any":
            yield f"line {node.lineno}: Any"


def _breaches(
    rule: Callable[[ast.AST], Iterator[str]], within: Callable[[str], bool] = lambda place: True
) -> list[str]:
    """What the rule finds in the files whose place passes `within`, each finding with its file."""
    return [
        f"{_place(file)} {found}"
        for file in FILES
        if within(_place(file))
        for found in rule(ast.parse(file.read_text(encoding="utf-8")))
    ]


def _vague_words() -> set[str]:
    """The pronouns and participles that CONTRIBUTING.md quotes."""
    page = (TESTS.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = page.partition("### Names that are not used\n")[2].partition("\n## ")[0]
    return {word for line in section.splitlines() if line.startswith(">") for word in re.findall(r"`(\w+)`", line)}


VAGUE_WORDS = _vague_words()


def _is_vague(name: str) -> bool:
    return name.strip("_").lower() in VAGUE_WORDS


def _bound(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and name of each variable, attribute, parameter, function and class where it is set or defined."""
    for node in ast.walk(tree):
        match node:
            case (
                ast.Name(id=name, ctx=ast.Store(), lineno=line)
                | ast.Attribute(attr=name, ctx=ast.Store(), lineno=line)
                | ast.arg(arg=name, lineno=line)
                | ast.FunctionDef(name=name, lineno=line)
                | ast.AsyncFunctionDef(name=name, lineno=line)
                | ast.ClassDef(name=name, lineno=line)
                | ast.ExceptHandler(name=str(name), lineno=line)
                | ast.MatchAs(name=str(name), lineno=line)
                | ast.MatchStar(name=str(name), lineno=line)
                | ast.alias(asname=str(name), lineno=line)
            ):
                yield line, name


def _vague(tree: ast.AST) -> Iterator[str]:
    yield from (f"line {line}: {name}" for line, name in _bound(tree) if _is_vague(name))


def _strangers(tree: ast.AST) -> Iterator[str]:
    for line, name in _imports(tree):
        if name.split(".")[0] not in {*sys.stdlib_module_names, "aegis_authz"}:
            yield f"line {line}: {name}"


def _protocols(tree: ast.AST) -> Iterator[str]:
    """Names that hold the name of a protocol or a product, and modules that spread keys."""
    for node in ast.walk(tree):
        for name in _names(node):
            if any(word in name.lower().replace("_", "") for word in PROTOCOLS):
                yield f"line {getattr(node, 'lineno', 0)}: {name}"
    yield from (f"line {line}: {name}" for line, name in _imports(tree) if name.split(".")[0] in SHARDING)


def _names(node: ast.AST) -> Iterator[str]:
    """The identifiers a node binds or reads."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Name):
        yield node.id
    elif isinstance(node, ast.Attribute):
        yield node.attr
    elif isinstance(node, ast.arg) or (isinstance(node, ast.keyword) and node.arg is not None):
        yield node.arg
    elif isinstance(node, ast.alias):
        yield from filter(None, (node.name, node.asname))


def _grpc_and_envoy(tree: ast.AST) -> Iterator[str]:
    for line, name in _imports(tree):
        if name.split(".")[0] in ("grpc", "grpc_health", "envoy"):
            yield f"line {line}: {name}"


def test_imports_point_one_way() -> None:
    # in a process of its own: import-linter sets logging up anew, and tests that run later would see no warnings
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as lint; lint()", "--no-cache"]
    outcome = subprocess.run(command, cwd=PACKAGE.parents[1], capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stdout


def test_files_are_short_and_named_for_their_one_job() -> None:
    lengths = {_place(file): len(file.read_text(encoding="utf-8").splitlines()) for file in FILES}
    assert {place: length for place, length in lengths.items() if length > MOST_FILE_LINES} == {}
    assert [_place(file) for file in FILES if BANNED_WORDS & set(file.stem.split("_"))] == []


def test_names_say_what_they_stand_for() -> None:
    vague = [*_breaches(_vague), *(_place(file) for file in FILES if _is_vague(file.stem))]
    bound = sum(len(list(_bound(ast.parse(file.read_text(encoding="utf-8"))))) for file in FILES)
    assert len(vague) <= MOST_VAGUE_NAMES * (bound + len(FILES)), "\n".join(vague)


def test_contributing_says_how_long_files_and_functions_may_be() -> None:
    page = (TESTS.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")
    said = re.findall(r"Files of at most (\d+) lines, functions of at most (\d+)", page)
    assert said == [(str(MOST_FILE_LINES), str(MOST_FUNCTION_LINES))]


def test_functions_fit_on_a_screen() -> None:
    assert _breaches(_long_functions) == []


def test_no_exception_is_swallowed() -> None:
    assert _breaches(_swallowed) == []


def test_core_imports_the_standard_library_alone() -> None:
    assert _breaches(_strangers, lambda place: place.startswith("core/")) == []


def test_core_knows_no_protocol_and_no_sharding() -> None:
    assert _breaches(_protocols, lambda place: place.startswith("core/")) == []


def test_grpc_and_envoy_types_stay_in_their_rooms() -> None:
    assert _breaches(_grpc_and_envoy, lambda place: not place.startswith(GRPC_ROOMS)) == []


def test_clocks_and_chance_stay_at_the_rim() -> None:
    assert _breaches(_clocks_and_chance, lambda place: not place.startswith(LIVING_ROOMS)) == []


def test_tasks_are_started_at_the_rim() -> None:
    assert _breaches(_tasks, lambda place: not place.startswith(STARTING_ROOMS)) == []


def test_core_and_check_have_no_untyped_value() -> None:
    assert _breaches(_any, lambda place: place.startswith(("core/", "check/"))) == []


def test_a_module_has_tests_of_its_name_or_says_where_they_are() -> None:
    """`tests/x/test_y.py` for `x/y.py`, or a line in tests/elsewhere.toml; a line that is outlived fails as well."""
    entries = tomllib.loads((TESTS / "elsewhere.toml").read_text(encoding="utf-8"))["elsewhere"]
    listed = [module for entry in entries for module in entry["modules"]]
    modules = [Path(_place(file)).with_suffix("") for file in FILES if file.name != "__init__.py"]
    nameless = {str(path) for path in modules if not (TESTS / path.parent / f"test_{path.name}.py").is_file()}
    assert nameless - set(listed) == set()
    assert set(listed) - nameless == set()
    assert len(listed) == len(set(listed))
    assert [test for entry in entries for test in entry["tests"] if not (TESTS / test).is_file()] == []
    assert all(entry["why"] and entry["tests"] for entry in entries)


def test_each_decision_has_a_number_of_its_own() -> None:
    pages = sorted((PACKAGE.parents[1] / "docs" / "decisions").glob("*.md"))
    numbers = [int(page.name.partition("-")[0]) for page in pages]
    # a number may be kept for a page that is still being written
    assert len(set(numbers)) == len(numbers)
    assert min(numbers) == 1
    heads = [page.read_text(encoding="utf-8").removeprefix("# ").lstrip("0") for page in pages]
    assert [page.name for page, n, head in zip(pages, numbers, heads, strict=True) if not head.startswith(str(n))] == []


def test_the_rules_see_what_they_forbid() -> None:
    """The rules themselves, on a file that breaks each."""
    bad = ast.parse(
        "import uuid\nfrom time import time\n"
        "def long():\n" + "    x = 1\n" * 60 + "try:\n    import grpc.aio\nexcept ImportError:\n    ...\n"
        "x: Any = datetime.now()\nasyncio.create_task(x)\n"
    )
    assert len(list(_long_functions(bad))) == 1
    assert len(list(_swallowed(bad))) == 1
    assert len(list(_any(bad))) == 1
    assert [found.split(": ")[1] for found in _protocols(bad)] == ["grpc.aio"]
    bad_noun = ast.parse("import zlib\nclass HttpThing:\n    json_rpc: int\ndef f(redis_key): return x.grpc_code\n")
    assert {found.split(": ")[1] for found in _protocols(bad_noun)} == {
        *("zlib", "HttpThing", "json_rpc", "redis_key", "grpc_code")
    }
    assert list(_grpc_and_envoy(bad)) == list(_strangers(bad)) == ["line 65: grpc.aio"]
    assert {found.split(": ")[1] for found in _clocks_and_chance(bad)} == {"uuid", "time.time", "datetime.now"}
    assert {found.split(": ")[1] for found in _tasks(bad)} == {"asyncio.create_task"}
    bad_names = ast.parse(
        "import json as it\n"
        "def told(one, rule, *, known=1):\n    self._found = [other for other in rule]\n"
        "    try:\n        Thing: int = one.seen\n    except ValueError as what:\n        return told(inner=rule)\n"
        "match rule:\n    case [this, *those]: pass\n    case {'x': (1 | 2) as that}: pass\n"
        "class Written: ...\nasync def asked(): lambda given: rule\n"
    )
    assert sorted(breach.split(": ")[1] for breach in _vague(bad_names)) == [
        *("Thing", "Written", "_found", "asked", "given", "it", "known", "one", "other"),
        *("that", "this", "those", "told", "what"),
    ]
