"""The first step of a job on AWS: a command that fetches the runner from S3 and becomes it.

AWS mounts nothing, images have no boto3, and a signed address would expire while the job is queued.
So the runner's own small S3 client (`nbbatch.runner.bucket`) goes along as text in the job's command,
without its comments, compressed; container overrides may have 8,192 bytes in all.
"""

from __future__ import annotations

import ast
import base64
import inspect
import zlib
from functools import cache

from nbbatch.runner import bucket

_FETCH = """
import sys, tempfile
place = Bucket(os.environ["NBBATCH_BUNDLE"])
try:
    name = json.loads(place.send("GET", "index.json")[1])["files"]["runner.pyz"]
    store = Bucket(place.url.rstrip("/").rpartition("/bundles/")[0])
    code = store.send("GET", "blobs/" + name[:2] + "/" + name)[1]
except OSError as error:
    sys.exit("nbbatch: the job cannot fetch its code. " + str(error))
path = tempfile.mkdtemp(prefix="nbbatch-") + "/runner.pyz"
with open(path, "wb") as file:
    file.write(code)
sys.stdout.flush()
os.execv(sys.executable, [sys.executable, path, place.url])
"""


def bootstrap_command(python: str) -> tuple[str, ...]:
    """Command of a job whose bundle is in S3, under NBBATCH_BUNDLE."""
    return (python, "-c", _program())


@cache
def _program() -> str:
    code = _bare(inspect.getsource(bucket)) + _FETCH
    packed = base64.b85encode(zlib.compress(code.encode(), 9)).decode()
    return f"import zlib,base64;exec(zlib.decompress(base64.b85decode('{packed}')))"


def _bare(source: str) -> str:
    """The same code without comments, docstrings and types."""
    return ast.unparse(_Barer().visit(ast.parse(source)))


class _Barer(ast.NodeTransformer):
    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        return None if isinstance(node.value, ast.Constant) else node

    def visit_If(self, node: ast.If) -> ast.AST | None:
        is_typing = isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        return None if is_typing else self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        assert node.value is not None  # noqa: S101 - of the one module that is read here
        return ast.copy_location(ast.Assign([node.target], node.value), node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.generic_visit(node)
        node.returns, node.body = None, node.body or [ast.Pass()]
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        self.generic_visit(node)
        node.body = node.body or [ast.Pass()]
        return node
