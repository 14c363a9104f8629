from __future__ import annotations

import pytest

from nbbatch.client.packing.names import read_names

READS = [
    ("y = x + 1", "x"),
    ("x = 1\nx + 1", ""),
    ("x = x + 1", "x"),
    ("x += 1", "x"),
    ("x: int = y", "y"),
    ("print(len(x), undefined)", "x undefined"),
    ("del x", "x"),
    ("x = 1\ndel x\nx", "x"),
    ("import numpy as np\nnp.array(x)", "x"),
    ("from m import f\nf(x)", "x"),
    ("[a * k for a in rows if a > low]", "k rows low"),
    ("{a: b for a, b in pairs}; a", "pairs a"),
    ("[y := f(v) for v in vs]\ny", "f vs"),
    ("sorted(rows, key=lambda r: r[col])", "rows col"),
    ("def f(a, b=c, *args, d: T = e, **kw) -> R:\n    return a + b + d + g", "c T e R g"),
    ("def f():\n    return x\nx = 1\nf()", ""),
    ("def f():\n    return x\nf()\nx = 1", "x"),
    ("def f():\n    x = 1\n    def g():\n        nonlocal x\n        x = y\n    return g", "y"),
    ("def f():\n    global n\n    n += 1\nf()", "n"),
    ("def f():\n    return [z for q in w]", "z w"),
    ("def fact(n):\n    return n * fact(n - 1)", ""),
    ("@deco(arg)\ndef f(): return x", "deco arg x"),
    (
        "class A(Base, metaclass=M):\n    a = b\n    c = a\n    def m(self): return a + d + super().m()",
        "Base M b a d",
    ),
    ("if c:\n    x = 1\nx", "c x"),
    ("if c:\n    x = 1\nelse:\n    x = 2\nx", "c"),
    ("if c:\n    x = 1\nelse:\n    raise E\nx", "c E"),
    ("for i in xs:\n    t = i\nt", "xs t"),
    ("while True:\n    x = 1\n    break\nx", ""),
    ("try:\n    x = f()\nexcept E as e:\n    x = e\nx", "f E"),
    ("try:\n    x = f()\nexcept E:\n    pass\nx", "f E x"),
    ("with open(p) as f, g() as (a, b):\n    a", "p g"),
    (
        "match m:\n    case {'k': v, **rest}: v, rest\n    case [a, *b] if a > lim: b\n    case P(x=q): q",
        "m lim P",
    ),
    ("a, *b = c\na, b", "c"),
    ("d[k] = v\nd.a.b = w", "v d k w"),
    ("f'{x!r:>{w}}'", "x w"),
    ("await g(x)", "g x"),
    ("async for a in b:\n    a", "b"),
    ("[a async for a in b]", "b"),
    ("x = yield_ if t else u", "t yield_ u"),
    ("lambda a=b: a", "b"),
    ("__name__, _, __file__", "_ __file__"),
]


@pytest.mark.parametrize(("source", "reads"), READS)
def test_reads(source: str, reads: str) -> None:
    """Exactly the names that Python would look up before the cell has bound them are read."""
    assert set(read_names(source).reads) == set(reads.split())


ASSIGNS = [
    ("x = 1; y: int = 2; z: int", "x y"),
    ("x += 1", "x"),
    ("a, (b, *c) = d", "a b c"),
    ("for i, j in xs:\n    k = i", "i j k"),
    ("with f() as g:\n    h = g", "g h"),
    ("import a.b, c as d\nfrom e import f as g", "a d g"),
    ("def f(x): y = x\nclass C: z = 1", "f C"),
    ("[i for i in range(3)]", ""),
    ("[(last := i) for i in range(3)]", "last"),
    ("if (n := f()):\n    m = n", "n m"),
    ("def f():\n    global g\n    g = 1", "f g"),
    ("x = 1\ndel x", ""),
    ("try:\n    pass\nexcept E as e:\n    pass", ""),
    (
        "match v:\n    case [a, *b]: pass\n    case {'k': c, **d}: pass\n    case int() as e: pass",
        "a b c d e",
    ),
    ("async def f(): pass", "f"),
]


@pytest.mark.parametrize(("source", "assigns"), ASSIGNS)
def test_assigns(source: str, assigns: str) -> None:
    """Names of the notebook that the cell binds, and those only, are assigned."""
    assert set(read_names(source).assigns) == set(assigns.split())


def test_changed_in_place_returns() -> None:
    """What is set by item or attribute comes back although it is not assigned."""
    names = read_names("df['a'] = 1\nm.x.y = 2\nfor o.z in q: pass\n_ = 1")
    assert set(names.changes) == {"df", "m", "o"}
    assert set(names.returns) == {"df", "m", "o"}


def test_imports_are_found_at_any_depth() -> None:
    """Modules imported inside functions and classes are imports of the cell."""
    source = "import a.b\ndef f():\n    from c.d import e\nclass G:\n    import h\n    def m(self): import i"
    assert set(read_names(source).imports) == {"a", "c", "h", "i"}


@pytest.mark.parametrize(
    ("source", "reads"),
    [
        ("!ls {folder} $other", "folder other"),
        ("%time y = f(x)", "f x"),
        ("%%time\ny = f(x)", "f x"),
        ("out = !cat {name}\nout", "name"),
        ("%timeit -n 3 f(x)", "f x"),
        ("df?", "df"),
        ("!awk '{print}' file", "print" if False else ""),
    ],
)
def test_ipython_syntax_is_read(source: str, reads: str) -> None:
    """Names in shell lines and timed code count, and the cell is known to need IPython's syntax."""
    names = read_names(source)
    assert names.is_ipython
    assert set(names.reads) == set(reads.split())


def test_timed_assignment_is_an_assignment() -> None:
    """%time y = ... binds y."""
    assert read_names("%time y = 1").assigns == ("y",)


@pytest.mark.parametrize("source", ["x = (", "return 1", "a b", "!ls\nx ="])
def test_what_is_neither_python_nor_ipython_is_refused(source: str) -> None:
    """A SyntaxError names the cell and its line before anything is sent."""
    with pytest.raises(SyntaxError) as caught:
        read_names(source, label="In [5]")
    assert caught.value.filename == "In [5]"
    assert caught.value.text


def test_plain_cells_do_not_import_ipython() -> None:
    """Reading plain Python costs no import of IPython."""
    import subprocess
    import sys

    code = "from nbbatch.client.packing.names import read_names; read_names('x = 1'); import sys; print('IPython' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
