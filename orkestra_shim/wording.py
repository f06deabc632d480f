"""What the Python code says when it fails, read out of its source: each OrkestraError and click.UsageError.

What a message is given by whoever calls the function in which it stands is looked up there, some calls far.
What only a run knows is a slot: ‹path›.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from . import errors

ANOTHERS = -1  # a code that another program or a caller has given
_MOST, _DEEPEST = 24, 3  # texts that one expression can be; calls that are followed
# A slot's name, where that of the variable says less.
_WORDS = {"strerror": "reason", "msg": "reason", "lineno": "line", "colno": "column", "returncode": "code"}
# A function with a parameter of this name says what others tell it.
_TOLD = {"why", "what", "reason", "hint", "code", "message", "problem", "said", "cure", "expected"}
_SAME_TEXT = ("printable", "str", "cast")

Row = tuple[int, str, str, str]


class _Scope(NamedTuple):
    module: str
    function: ast.FunctionDef | None
    given: dict[str, tuple[ast.expr, _Scope]]  # parameters, where one call is looked at


def slot(name: str) -> str:
    """What stands in a message in place of a variable of that name."""
    name = name.strip("_").lower().replace("_", " ")
    return f"‹{_WORDS.get(name, name) or 'text'}›"


def rows(folder: Path) -> Iterator[Row]:
    """Code, what is wrong, what to do, and the file, of each message below folder, the package."""
    package = _Package(folder)
    for kind in ("OrkestraError", "LogLost", "UsageError", "BadParameter"):
        for call, scope in package.calls.get(kind, []):
            values = [*call.args, *(key.value for key in call.keywords if key.arg == "hint")]
            if kind in ("UsageError", "BadParameter"):
                values = [ast.Constant(errors.EX_USAGE), *values[:1]]
            values = [*values, ast.Constant("")][:3]
            for one in package.told(values, scope):
                codes = package.codes(values[0], one, _DEEPEST)
                texts, hints = (package.texts(value, one, _DEEPEST) for value in values[1:])
                yield from (
                    (code, _one_line(text), _one_line(hint), f"orkestra_shim/{scope.module}")
                    for code, text, hint in itertools.product(codes, texts, hints)
                )


def _one_line(text: str) -> str:
    return " / ".join(line.strip() for line in text.splitlines() if line.strip())


def _called(call: ast.Call) -> str:
    if isinstance(call.func, ast.Name):
        return call.func.id
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


class _Package:
    """The modules of a folder, their functions, and the calls of each name."""

    def __init__(self, folder: Path) -> None:
        self.modules: dict[str, ast.Module] = {}
        self.calls: dict[str, list[tuple[ast.Call, _Scope]]] = {}
        self.functions: dict[tuple[str, str], ast.FunctionDef] = {}
        for path in sorted(folder.rglob("*.py")):
            if "templates" not in path.parts:
                name = str(path.relative_to(folder))
                self.modules[name] = ast.parse(path.read_text("utf-8"))
                self._walk(self.modules[name], _Scope(name, None, {}))

    def _walk(self, node: ast.AST, scope: _Scope) -> None:
        for child in ast.iter_child_nodes(node):
            below = scope
            if isinstance(child, ast.FunctionDef):
                self.functions[scope.module, child.name] = child
                below = _Scope(scope.module, child, {})
            elif isinstance(child, ast.Call):
                self.calls.setdefault(_called(child), []).append((child, scope))
            self._walk(child, below)

    def told(self, values: list[ast.expr], scope: _Scope) -> list[_Scope]:
        """The scope; of a function that says what it is told one for each call, with what that gives."""
        if scope.function is None or not _passes_on(values, scope.function):
            return [scope]
        arguments = scope.function.args
        names = [one.arg for one in arguments.args]
        is_method = names[:1] in (["self"], ["cls"])
        found = []
        for call, place in self.calls.get(scope.function.name, []):
            if place.function is scope.function or not self._means(call, place.module, scope, is_method):
                continue
            nowhere = _Scope(scope.module, None, {})
            defaults = [(one, nowhere) for one in arguments.defaults]
            given = dict(zip(names[len(names) - len(defaults) :], defaults, strict=True))
            given |= {n: (value, place) for n, value in zip(names[is_method:], call.args, strict=False)}
            given |= {key.arg: (key.value, place) for key in call.keywords if key.arg}
            found.append(scope._replace(given=given))
        return found or [scope]

    def _means(self, call: ast.Call, module: str, scope: _Scope, is_method: bool) -> bool:
        """Whether a call in that module, of a function named like the scope's, is one of the scope's."""
        assert scope.function is not None
        if isinstance(call.func, ast.Attribute):
            base = call.func.value.id if isinstance(call.func.value, ast.Name) else ""
            if is_method:
                return module == scope.module or (base != "self" and not scope.function.name.startswith("_"))
            return base == Path(scope.module).stem
        if is_method or module == scope.module:
            return module == scope.module
        stem = Path(scope.module).stem
        return any(
            isinstance(node, ast.ImportFrom)
            and (node.module or "").endswith(stem)
            and any(one.name == scope.function.name for one in node.names)
            for node in ast.walk(self.modules[module])
        )

    def _assigned(self, scope: _Scope, name: str) -> list[ast.expr]:
        """What a name is set to in its function, or else in its module."""
        function: list[ast.AST] = list(ast.walk(scope.function)) if scope.function is not None else []
        for nodes in (function, self.modules[scope.module].body):
            values = []
            for node in nodes:
                targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
                if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
                    values += [one for target in targets for one in _matched(target, node.value, name)]
            if values:
                return values
        return []

    def codes(self, value: ast.expr, scope: _Scope, depth: int) -> set[int]:
        """The exit codes that an expression can be."""
        if isinstance(value, ast.Constant) and isinstance(value.value, int):
            return {value.value}
        if isinstance(value, (ast.IfExp, ast.BoolOp)):
            both = value.values if isinstance(value, ast.BoolOp) else [value.body, value.orelse]
            return set().union(*(self.codes(one, scope, depth) for one in both))
        name = getattr(value, "id", getattr(value, "attr", ""))
        if name.startswith("EX_"):
            return {int(getattr(errors, name))}
        if isinstance(value, ast.Name) and depth:
            if name in scope.given:
                below, place = scope.given[name]
                return self.codes(below, place, depth - 1)
            assigned = self._assigned(scope, name)
            if assigned:
                return set().union(*(self.codes(one, scope, depth - 1) for one in assigned))
        return {ANOTHERS}

    def texts(self, value: ast.expr, scope: _Scope, depth: int) -> list[str]:
        """The texts that an expression can be, with slots."""
        return list(dict.fromkeys(self._can_be(value, scope, depth)))[:_MOST]

    def _can_be(self, value: ast.expr, scope: _Scope, depth: int) -> list[str]:
        def texts(one: ast.expr) -> list[str]:
            return self.texts(one, scope, depth)

        match value:
            case ast.Constant():
                return [str(value.value or "")]
            case ast.JoinedStr():
                all_of_them = itertools.product(*map(texts, value.values))
                return ["".join(parts) for parts in itertools.islice(all_of_them, _MOST)]
            case ast.FormattedValue():
                sign = "'" if value.conversion == ord("r") else ""
                inner = value.value
                found_in = texts(inner) if self._is_words(inner, scope) else [slot(_name(inner))]
                return [f"{sign}{one}{sign}" for one in found_in]
            case ast.BinOp(op=ast.Add()):
                return ["".join(parts) for parts in itertools.product(texts(value.left), texts(value.right))]
            case ast.IfExp():
                return texts(value.body) + texts(value.orelse)
            case ast.BoolOp():
                return [text for one in value.values for text in texts(one)]
            case ast.Call(args=[*_, last]) if _called(value) in _SAME_TEXT:
                return texts(last)
        found: list[tuple[ast.expr, _Scope]] = []
        if isinstance(value, ast.Name):
            if value.id in scope.given:
                found = [scope.given[value.id]]
            else:
                assigned = self._assigned(scope, value.id)
                found = [(one, scope) for one in assigned] if all(map(_is_text, assigned)) else []
        elif isinstance(value, ast.Call):
            found = self._returned(value, scope)
        if depth and found:
            return [text for one, place in found for text in self.texts(one, place, depth - 1)]
        return [slot(_name(value))]

    def _is_words(self, value: ast.expr, scope: _Scope) -> bool:
        """Whether words of ours stand there, and no name of something."""
        match value:
            case ast.Call(args=[*_, last]) if _called(value) in _SAME_TEXT:
                return self._is_words(last, scope)
            case ast.IfExp():
                return _is_text(value)
            case ast.Name():
                return value.id in scope.given or any(map(_is_text, self._assigned(scope, value.id)))
        return False

    def _returned(self, call: ast.Call, scope: _Scope) -> list[tuple[ast.expr, _Scope]]:
        """What a function of the same module returns, where that is always a text."""
        function = self.functions.get((scope.module, _called(call)))
        nodes = ast.walk(function) if function is not None else []
        values = [node.value for node in nodes if isinstance(node, ast.Return) and node.value is not None]
        place = _Scope(scope.module, function, {})
        return [(one, place) for one in values] if all(map(_is_text, values)) else []


def _passes_on(values: list[ast.expr], function: ast.FunctionDef) -> bool:
    """Whether one of the values is what the function is told, or ends with that."""
    names = {one.arg for one in function.args.args} & _TOLD
    for value in values:
        last = value.values[-1] if isinstance(value, ast.JoinedStr) and value.values else value
        last = last.value if isinstance(last, ast.FormattedValue) else last
        if isinstance(last, ast.Call) and last.args and _called(last) in _SAME_TEXT:
            last = last.args[-1]
        if isinstance(last, ast.Name) and last.id in names:
            return True
    return False


def _matched(target: ast.AST | None, value: ast.expr, name: str) -> Iterator[ast.expr]:
    if isinstance(target, ast.Name) and target.id == name:
        yield value
    elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        for one, other in zip(target.elts, value.elts, strict=False):
            yield from _matched(one, other, name)


def _is_text(value: ast.expr) -> bool:
    if isinstance(value, ast.IfExp):
        return _is_text(value.body) and _is_text(value.orelse)
    if isinstance(value, ast.Constant):
        return isinstance(value.value, str)
    return isinstance(value, ast.JoinedStr)


def _name(value: ast.expr) -> str:
    """What to call an expression of which only a run knows the value."""
    match value:
        case ast.Name():
            return value.id
        case ast.Attribute():
            return value.attr
        case ast.Subscript(slice=ast.Constant(value=str(key))):
            return key
        case ast.Subscript() | ast.Starred() | ast.FormattedValue():
            return _name(value.value)
        case ast.Call(args=[first, *_]):
            return {"join": "list", "len": "number"}.get(_called(value)) or _name(first)
        case ast.Call(func=ast.Attribute(value=base)):
            return _name(base)
        case ast.Call():
            return _called(value)
        case ast.BinOp():
            return _name(value.left)
        case ast.IfExp():
            return _name(value.body)
    return "text"
