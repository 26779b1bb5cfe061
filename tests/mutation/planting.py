"""Puts a mutant in the place of what it mutates, for this process and for ever: called in a fork that ends after its tests."""

import ast
import sys
from types import FunctionType, ModuleType


def plant(module: ModuleType, source: str, mutated: str) -> None:
    """The one top-level statement that differs takes effect, also where others have imported its name.

    Raises:
        ValueError: not exactly one top-level statement differs.
        TypeError: it is a decorated function.
    """
    before, after = ast.parse(source), ast.parse(mutated)
    pairs = zip(before.body, after.body, strict=True)
    differing = [(old, new) for old, new in pairs if ast.dump(old) != ast.dump(new)]
    if len(differing) != 1:
        raise ValueError(f"{len(differing)} statements differ")
    old, new = differing[0]
    made = dict(vars(module))
    exec(compile(ast.Module([new], []), f"mutant of {module.__name__}", "exec"), made)
    if isinstance(old, ast.FunctionDef):
        # Everybody who imported the function holds this object: its inside is changed, not the name.
        function, mutant = getattr(module, old.name), made[old.name]
        if not isinstance(function, FunctionType) or not isinstance(mutant, FunctionType):
            raise TypeError(f"{old.name} is no plain function")
        function.__code__, function.__kwdefaults__, function.__defaults__ = mutant.__code__, mutant.__kwdefaults__, mutant.__defaults__
        return
    for name in _bound_by(old):
        _bind_everywhere(name, vars(module)[name], made[name] if _bound_by(new) else None)


def _bound_by(statement: ast.stmt) -> list[str]:
    if isinstance(statement, ast.ClassDef):
        return [statement.name]
    return [target.id for target in statement.targets if isinstance(target, ast.Name)] if isinstance(statement, ast.Assign) else []


def _bind_everywhere(name: str, was: object, now: object) -> None:
    for holder in list(sys.modules.values()):
        if vars(holder).get(name) is was:
            setattr(holder, name, now)
