"""Runs benchmarks by name, each in a process of its own: `python -m benchmarks m1 m9`."""

from __future__ import annotations

import argparse
import platform
import subprocess
import sys
from importlib import import_module
from pathlib import Path

from benchmarks.harness import Bench, CannotRunError

MODULES = {path.stem.partition("_")[0]: path.stem for path in sorted(Path(__file__).parent.glob("*_*.py"))}
MODULES.pop("", None)


def question(name: str) -> str:
    """What a benchmark asks: its docstring's first line."""
    return str(import_module(f"benchmarks.{MODULES[name]}").__doc__).partition("\n")[0]


def run_here(name: str, bench: Bench) -> int:
    """Run one benchmark in this process; what it cannot do here is said and no failure."""
    print(f"\n{name} · {question(name)}", flush=True)
    try:
        import_module(f"benchmarks.{MODULES[name]}").run(bench)
    except CannotRunError as reason:
        print(f"    not measured: {reason}", flush=True)
    return 0


def run_apart(name: str, arguments: argparse.Namespace) -> int:
    """Run one benchmark in a fresh interpreter, so that none inherits another's imports."""
    flags = ["--rounds", str(arguments.rounds), *(["--full"] if arguments.full else [])]
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", "--here", name, *flags], check=False
    ).returncode


def in_order(names: list[str]) -> list[str]:
    """By number, and those without one last."""
    return sorted(names, key=lambda name: (int(name[1:]) if name[1:].isdigit() else 99, name))


def main() -> int:
    """Read the command line and run what it names."""
    parser = argparse.ArgumentParser(
        prog="scripts/bench", description="nbbatch beside what it is compared with."
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="which ones; none: all")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each side (default: 5)")
    parser.add_argument("--full", action="store_true", help="the long ones too")
    parser.add_argument("--list", action="store_true", help="say what there is")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(MODULES)
    if unknown:
        parser.error(
            f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(in_order(list(MODULES)))}"
        )
    names = in_order(arguments.names or list(MODULES))
    if arguments.list:
        print("\n".join(f"{name:<8} {question(name)}" for name in names))
        return 0
    if arguments.here:
        return max(run_here(name, Bench(rounds=arguments.rounds, full=arguments.full)) for name in names)
    print(
        f"{platform.python_implementation()} {platform.python_version()} on {platform.system()} {platform.machine()}"
    )
    return max(run_apart(name, arguments) for name in names)


if __name__ == "__main__":
    sys.exit(main())
