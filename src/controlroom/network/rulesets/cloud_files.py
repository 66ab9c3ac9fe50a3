"""Reads the JSON and YAML that clouds hold rules in: bounded, without aliases, no key twice.

Which of two equal keys counts is the platform's choice, and aliases can make a small file endless; both are refused.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import yaml

from controlroom.network.errors import BadRuleset
from controlroom.network.rulesets.interface import RulesetText

# A policy of ten thousand rules stays below; YAML is read slowly, so that a larger one is a wrong file.
LARGEST_YAML = 32 * 1024 * 1024
DEEPEST_YAML = 60
JsonObject = Mapping[str, object]

# The loader in C where PyYAML was built with it, ten times as fast.
_Loader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _StrictLoader(_Loader):  # type: ignore[misc,valid-type]  # chosen at run time
    """Builds plain values only; a tag such as ``!Ref`` becomes an object with that one key."""


@dataclass(frozen=True, slots=True)
class TerraformResource:
    """One resource of a configuration or of a plan."""

    type: str
    name: str
    values: JsonObject


def read_documents(file: RulesetText) -> list[object]:
    """Return the documents of a file: one of JSON, one or more of YAML. Raise `BadRuleset`."""
    if file.text.lstrip("\ufeff \t\r\n").startswith(("{", "[")):
        return [read_json(file)]
    if len(file.text) > LARGEST_YAML:
        raise BadRuleset(f"{file.name}: larger than {LARGEST_YAML} characters of YAML; give it as JSON")
    try:
        _refuse_bombs(file)
        # The loader is a safe one: plain values, no objects.
        found = [one for one in yaml.load_all(file.text, Loader=_StrictLoader) if one is not None]
    except yaml.YAMLError as error:
        raise BadRuleset(f"{file.name}: not YAML, or cut off: {_first_line(error)}") from None
    except (RecursionError, ValueError, OverflowError) as error:
        raise BadRuleset(f"{file.name}: cannot be read: {_first_line(error)}") from None
    if not found:
        raise BadRuleset(f"{file.name}: nothing is in it")
    return found


def read_json(file: RulesetText) -> object:
    """Return the value of a JSON file; raise `BadRuleset`."""
    try:
        return json.loads(file.text.lstrip("\ufeff"), object_pairs_hook=_without_doubles)
    except (ValueError, RecursionError) as error:
        raise BadRuleset(f"{file.name}: not JSON, or cut off: {_first_line(error)}") from None


def terraform_resources(document: object, file: str) -> Iterator[TerraformResource]:
    """Yield the resources of a ``.tf.json`` file, or of ``terraform show -json``; raise `BadRuleset`."""
    if not isinstance(document, Mapping):
        return
    planned = document.get("planned_values", document.get("values"))
    if isinstance(planned, Mapping):
        yield from _of_module(planned.get("root_module"))
        return
    for kind, named in objects(document.get("resource")):
        for name, body in objects(named):
            for values in body if isinstance(body, list) else [body]:
                if not isinstance(values, Mapping):
                    raise BadRuleset(f"{file}: resource {kind}.{name} is no object")
                if followed := {"count", "for_each", "dynamic"} & values.keys():
                    raise BadRuleset(
                        f"{file}: resource {kind}.{name} uses {', '.join(sorted(followed))}, which is not followed; "
                        "give the output of terraform show -json for a plan instead"
                    )
                yield TerraformResource(kind, name, values)


def objects(value: object) -> Iterator[tuple[str, object]]:
    """Yield the entries of an object, of each object of a list, or nothing; comments are left out."""
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, Mapping):
            yield from ((str(key), inner) for key, inner in one.items() if key != "//")


def listed(value: object) -> list[object]:
    """Return a list as it is, nothing for null, and a single value as a list of one."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def mappings(value: object, what: str) -> list[JsonObject]:
    """Return a list of objects; raise `BadRuleset` where something else stands in it."""
    found = listed(value)
    for one in found:
        if not isinstance(one, Mapping):
            raise BadRuleset(f"{what}: {str(one)[:60]!r} is no object")
    return [one for one in found if isinstance(one, Mapping)]


def _of_module(module: object) -> Iterator[TerraformResource]:
    waiting = [module]
    while waiting:
        one = waiting.pop()
        if not isinstance(one, Mapping):
            continue
        waiting.extend(listed(one.get("child_modules")))
        for resource in listed(one.get("resources")):
            if isinstance(resource, Mapping) and isinstance(values := resource.get("values"), Mapping):
                yield TerraformResource(str(resource.get("type")), str(resource.get("name")), values)


def _without_doubles(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        double = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {double[:60]!r} stands twice in one object")
    return found


def _refuse_bombs(file: RulesetText) -> None:
    depth = 0
    for event in yaml.parse(file.text, Loader=_Loader):
        if isinstance(event, yaml.AliasEvent):
            line = event.start_mark.line + 1 if event.start_mark else 1
            raise BadRuleset(f"{file.name}:{line}: YAML aliases are not read; write the value out")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > DEEPEST_YAML:
                raise BadRuleset(f"{file.name}: nested more than {DEEPEST_YAML} levels deep")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _mapping(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict[str, object]:
    pairs = [
        (str(loader.construct_object(key, deep=True)), loader.construct_object(value, deep=True))
        for key, value in node.value
    ]
    return _without_doubles(pairs)


def _tagged(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, object]:
    if isinstance(node, yaml.ScalarNode):
        return {f"!{suffix}": str(node.value)}
    if isinstance(node, yaml.SequenceNode):
        return {f"!{suffix}": [loader.construct_object(one, deep=True) for one in node.value]}
    return {f"!{suffix}": {}}


_StrictLoader.add_constructor("tag:yaml.org,2002:map", _mapping)
_StrictLoader.add_multi_constructor("!", _tagged)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
