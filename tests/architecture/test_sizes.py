"""A file has one idea, a function fits on a screen."""

from collections.abc import Iterable

from tests.architecture.tree import PRODUCT, Module, length, modules, sample, spell

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60
P90_FUNCTION_LINES = 30


def long_files(given: Iterable[Module]) -> list[str]:
    return [f"{module.path}: {module.line_count} lines" for module in given if module.line_count > MAX_FILE_LINES]


def long_functions(given: Iterable[Module]) -> list[str]:
    return [
        f"{module.path}:{function.lineno} {function.name}: {length(function)} lines"
        for module in given
        for function in module.functions()
        if length(function) > MAX_FUNCTION_LINES
    ]


def percentile_90(given: Iterable[Module]) -> int:
    lengths = sorted(length(function) for module in given for function in module.functions())
    return lengths[int(len(lengths) * 0.9)]


def test_no_file_is_longer_than_400_lines() -> None:
    found = long_files(modules(*PRODUCT, "tests"))

    assert not found, spell(found)


def test_no_function_is_longer_than_60_lines() -> None:
    found = long_functions(modules(*PRODUCT))

    assert not found, spell(found)


def test_nine_functions_of_ten_are_shorter_than_30_lines() -> None:
    assert percentile_90(modules(*PRODUCT)) < P90_FUNCTION_LINES


def test_a_file_or_function_one_line_too_long_is_caught() -> None:
    body = "\n".join("    pass" for _ in range(MAX_FUNCTION_LINES))
    fits = sample("enact/fits.py", "\n" * (MAX_FILE_LINES - MAX_FUNCTION_LINES) + f"def f():\n{body[: body.rindex('    pass')]}")
    long = sample("enact/long.py", "\n" * MAX_FILE_LINES + f"def f():\n{body}\n")

    assert long_files([fits]) == long_functions([fits]) == []
    assert long_files([long]) == [f"enact/long.py: {MAX_FILE_LINES + MAX_FUNCTION_LINES + 1} lines"]
    assert long_functions([long]) == [f"enact/long.py:{MAX_FILE_LINES + 1} f: {MAX_FUNCTION_LINES + 1} lines"]


def test_the_percentile_sees_the_long_tenth() -> None:
    short = "def f():\n    pass\n"
    long = "def g():\n" + "    pass\n" * 40

    assert percentile_90([sample("enact/a.py", short * 9 + long)]) == 41
    assert percentile_90([sample("enact/a.py", short * 20 + long)]) == 2
