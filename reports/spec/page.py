"""The page of the spec: every key, what it is, its default and what it means, made of the models."""

from collections.abc import Iterator

import yaml

from reports.spec.schema import Node, schema

_HEAD = """# The spec: every key of `project.yaml`

`make docs` writes this page, and [project.schema.json](project.schema.json) for editors, from the models that
read a spec. `make check PROJECT=…` names every problem of one, also where keys do not fit each other.

A text needs no quotes: `NO`, `on` and `2013-01-01` are texts, unlike in YAML 1.1. A duration is a whole
number and one of `s` `m` `h` `d` `w`, such as `36h`. A time zone is one of the IANA database, such as
`America/New_York`. In a path, `*` stands for a name of your own. A key without a default must be there.
"""
# What the texts of a pattern that begins so are.
_PATTERNS = {
    "^[0-9]{1,9}": "duration",
    "^(?=.*[1-9])": "duration",
    "^[0-9]{4}-": "date",
    "^[A-Za-z]": "time zone",
    "^[a-z]": "name of `a-z`, `0-9` and `_`",
    "^[0-9a-f]{64}": "SHA-256",
    "^[a-z0-9-]+/": "`<type>/<name>` of a block",
}
# What an example is called whose path does not say it.
_NAMES = {"datasets.*": "a_dataset", "features.*": "a_feature", "training.tuning.space.*.*": "a_parameter"}
_LIMITS = {
    "minimum": "at least {:g}",
    "exclusiveMinimum": "more than {:g}",
    "maximum": "at most {:g}",
    "exclusiveMaximum": "less than {:g}",
}


def page_text() -> str:
    """The page, as Markdown."""
    whole = schema()
    sections = ["\n".join(_section(whole, path, node)) for path, node in _parts(whole, "", whole, set())]
    return "\n".join([_HEAD, *sections])


def _parts(whole: Node, path: str, node: Node, seen: set[str]) -> Iterator[tuple[str, Node]]:
    """The parts of a spec that hold keys, each once, by path: all forms of one, then what is in it."""
    inside: list[tuple[str, Node]] = []
    for form, member in _members(node):
        name, resolved = member.get("$ref", path), _resolved(whole, member)
        if "properties" in resolved and name not in seen:
            seen.add(name)
            yield f"{path}{form}", resolved
            inside += [(f"{path}.{key}".lstrip("."), part) for key, part in resolved["properties"].items()]
        elif isinstance(inner := resolved.get("additionalProperties"), dict):
            inside.append((f"{path}.*", inner))
        elif isinstance(inner := resolved.get("items"), dict):
            inside.append((f"{path}[]", inner))
    for below, part in inside:
        yield from _parts(whole, below, part, seen)


def _members(node: Node) -> list[tuple[str, Node]]:
    """The forms that a part has, each with the key that tells it from the others."""
    if "discriminator" in node:
        key, mapping = node["discriminator"]["propertyName"], node["discriminator"]["mapping"]
        return [(f" with `{key}: {word}`", {"$ref": target}) for word, target in mapping.items()]
    return [("", option) for option in node.get("anyOf", [node]) if option != {"type": "null"}]


def _resolved(whole: Node, node: Node) -> Node:
    return dict(whole["$defs"][node["$ref"].rsplit("/", 1)[1]]) if "$ref" in node else node


def _section(whole: Node, path: str, node: Node) -> Iterator[str]:
    """A heading, what the part is, an example, and a line for each key."""
    name, told, form = path.partition(" with ")
    yield f"{'#' * (2 + min(path.count('.'), 2))} {f'`{name}`{told}{form}' if path else 'The whole'}\n"
    yield node.get("description", "") + "\n"
    for example in node.get("examples", []):
        ordered = {key: example[key] for key in node["properties"] if key in example}
        key = _NAMES.get(name, name.split(".")[-1])
        held = {key.removesuffix("[]"): [ordered]} if key.endswith("[]") else {key: ordered}
        text = yaml.dump(held, sort_keys=False, default_flow_style=None, allow_unicode=True, width=100)
        yield f"```yaml\n{text}```\n"
    if not node["properties"]:
        return
    yield "| key | is | default | means |"
    yield "| --- | --- | --- | --- |"
    for key, part in node["properties"].items():
        default = "" if key in node.get("required", []) else _default(part)
        meaning = part.get("description") or _resolved(whole, part).get("description", "").split("\n")[0]
        yield f"| `{key}` | {_kind(whole, part)} | {default} | {meaning} |"
    yield ""


def _default(part: Node) -> str:
    value = part.get("default")
    if value is None or (value in ([], {}, "")):
        return "none"
    if isinstance(value, dict):
        return "its own"
    return f"`{yaml.dump(value, default_flow_style=True).removesuffix('...' + chr(10)).strip()}`"


def _kind(whole: Node, part: Node) -> str:
    """What a value may be, in words."""
    if "discriminator" in part:
        return f"keys, told apart by `{part['discriminator']['propertyName']}`"
    if "anyOf" in part:
        kinds = [_kind(whole, option) for option in part["anyOf"]]
        # What is none by default may be left out: that it may also be null says no more.
        left_out = part.get("default") is None
        return " or ".join(dict.fromkeys(kind for kind in kinds if kind != "`null`" or not left_out))
    node = _resolved(whole, part)
    if "const" in node or "enum" in node:
        return ", ".join(f"`{word}`" for word in node.get("enum") or [node["const"]])
    match node.get("type"):
        case "array":
            return f"list of {_kind(whole, node['items'])}"
        case "object" if isinstance(node.get("additionalProperties"), dict):
            return f"by name: {_kind(whole, node['additionalProperties'])}"
        case "object":
            return "keys"
        case "string":
            return _text(node.get("pattern", ""))
        case "null":
            return "`null`"
    words = {"integer": "whole number", "number": "number", "boolean": "`true` or `false`"}
    limits = [said.format(node[limit]) for limit, said in _LIMITS.items() if limit in node]
    return " ".join([words[node["type"]], ", ".join(limits)]).strip()


def _text(pattern: str) -> str:
    return next((told for begin, told in _PATTERNS.items() if pattern.startswith(begin)), "text")
