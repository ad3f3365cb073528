"""Finding pickles: in code, and in files."""

import ast
import io
import zipfile

# Whole modules, and calls of others, that read or write pickles.
MODULES = {"pickle", "cPickle", "_pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}
CALLS = {("torch", "save"), ("torch", "load"), ("jit", "save"), ("jit", "load"), ("pandas", "read_pickle")}
METHODS = {"to_pickle", "read_pickle"}


def faults(code: str) -> list[str]:
    """The lines that could read or write a pickle."""
    return [f"{node.lineno}: {ast.unparse(node)}" for node in ast.walk(ast.parse(code)) if _pickles(node)]


def _pickles(node: ast.AST) -> bool:
    if isinstance(node, ast.Import):
        return any(name.name.split(".")[0] in MODULES for name in node.names)
    if isinstance(node, ast.ImportFrom):
        return (node.module or "").split(".")[0] in MODULES
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    owner, method = ast.unparse(node.func.value).split(".")[-1], node.func.attr
    allowed = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}.get("allow_pickle")
    if owner in ("np", "numpy") and method in ("load", "save"):
        return allowed != "False"
    return (owner, method) in CALLS or method in METHODS or allowed == "True"


def holds_pickle(content: bytes) -> bool:
    """Is it a pickle, or an archive with one in it?"""
    if content[:1] == b"\x80" and content[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return True
    if not zipfile.is_zipfile(io.BytesIO(content)):
        return content[:6] == b"\x93NUMPY" and b"|O" in content[:128]
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return any(holds_pickle(archive.read(name)) for name in archive.namelist())
