import pytest

from controlroom.bots.declaration import Declaration, read_declaration
from controlroom.bots.documents import parse_toml
from controlroom.bots.errors import DeclarationInvalid
from controlroom.bots.manifest import RetryPolicy
from controlroom.bots.table import Table, duration_seconds
from controlroom.protocol.plan import Limits

FULL = """
name = "Reconcile orders"
description = "Finds what does not match."
labels = ["office", "browser=chrome", "office"]
timeout = "1h30m"
task = "nightly"
warm = false
exclusive = true
artifacts = "results/files"
python = ">=3.11"
exclude = ["tests/"]

[inputs]
month = { type = "string", format = "date", title = "Month" }
amount = { type = "number", minimum = 0, default = 10 }
dry = "boolean"
note = { type = "string", required = false }

[outputs]
matched = "integer"

[retry]
on = "loss"
count = 5
backoff = "10s"
backoff_limit = "10m"

[limits]
memory_mb = 512
artifacts_mb = 20

[tasks]
nightly = "bot:nightly"
report = { run = "report.py", arguments = ["--full"], description = "The report.", warm = true }
tool = ["python", "-m", "tool"]
one = { run = "bot:one", inputs = { only = "string" } }
"""


def declared(text: str) -> Declaration:
    return read_declaration(Table("controlroom.toml", "", parse_toml(text, "controlroom.toml")))


def test_every_key_is_read() -> None:
    found = declared(FULL)
    assert (found.name, found.description) == ("Reconcile orders", "Finds what does not match.")
    assert found.labels == ("office", "browser=chrome")
    assert found.limits == Limits(timeout_seconds=5400, memory_mb=512, artifacts_mb=20)
    assert found.retry == RetryPolicy("loss", 5, 10, 600)
    assert (found.warm, found.exclusive, found.artifacts) == (False, True, "results/files")
    assert (found.task, found.python, found.exclude) == ("nightly", ">=3.11", ("tests/",))
    assert found.tasks["tool"].command == ("python", "-m", "tool")
    assert found.tasks["report"].warm is True
    assert found.tasks["one"].inputs == {
        "type": "object",
        "properties": {"only": {"type": "string"}},
        "additionalProperties": False,
        "required": ["only"],
    }


def test_the_short_form_becomes_a_schema_in_the_authors_order() -> None:
    schema = declared(FULL).inputs
    assert list(schema["properties"]) == ["month", "amount", "dry", "note"]
    assert schema["required"] == ["month", "dry"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["amount"] == {"type": "number", "minimum": 0, "default": 10}


def test_a_whole_schema_is_taken_as_it_is() -> None:
    schema = declared(
        '[inputs]\ntype = "object"\nrequired = ["a"]\n[inputs.properties.a]\ntype = "string"\n'
    ).inputs
    assert schema == {"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}}}


def test_an_input_may_be_named_type() -> None:
    assert list(declared('[inputs]\ntype = {type = "string"}\n').inputs["properties"]) == ["type"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('nmae = "x"', "nmae: is not a key that is known here; did you mean 'name'"),
        ("[retry]\ncuont = 1", "retry.cuont.*did you mean 'count'"),
        ("[limits]\nmemory = 1", "limits.memory.*did you mean 'memory_mb'"),
        ("zzz = 1", "zzz: is not a key.*there are name"),
        ("name = 1", "name: must be a text, not 1"),
        ('name = "a/b"', "name: must not contain '/'"),
        ('timeout = "soon"', "timeout: must be a time"),
        ("timeout = 0", "timeout: must be a time"),
        ("timeout = -1", "timeout: must be a time"),
        ('timeout = "999d"', "timeout: must be a time"),
        ('retry = "always"', "retry: must be one of never, loss, failure"),
        ("[retry]\ncount = 0", "retry.count: must be a whole number from 1 to 100"),
        ("[retry]\ncount = true", "retry.count"),
        ("[limits]\nmemory_mb = -1", "limits.memory_mb: must be a whole number"),
        ('labels = "a"', "labels: must be a list of texts"),
        ('labels = ["a b"]', "labels: 'a b' is no label"),
        ('warm = "yes"', "warm: must be true or false, not 'yes'"),
        ('artifacts = "../x"', "artifacts: must be a path inside"),
        ('artifacts = "/x"', "artifacts: must be a path inside"),
        ('artifacts = "C:/x"', "artifacts: must be a path inside"),
        ("tasks = {}", "tasks: must hold 1 to"),
        ("tasks = {a = 1}", "tasks.a: must be a table"),
        ('tasks = {a = {rnu = "x"}}', "tasks.a.rnu.*did you mean 'run'"),
        ('tasks = {a = {run = "x:y", command = ["z"]}}', "tasks.a: needs either"),
        ("tasks = {a = {}}", "tasks.a: needs either"),
        ('task = "b"\ntasks = {a = "x:y"}', "task: must name one of the tasks a"),
        ('[inputs]\na = "strng"', "inputs.a.type: must be one of.*did you mean 'string'"),
        ('[inputs]\na = "int"', "inputs.a.type.*did you mean 'integer'"),
        ("[inputs]\na = 5", "inputs.a: must be a schema"),
        ('[inputs]\na = {type="string", patern="x"}', "inputs.a.patern: is no keyword.*'pattern'"),
        ('[inputs]\na = {type="string", pattern="(?=x)"}', "inputs.a.pattern: is not a pattern"),
        ('[inputs]\na = {"$ref"="https://example.com/x"}', r"inputs.a.\$ref: must point to a place in this"),
        ('[inputs]\na = {type="number", minimum="x"}', "inputs.a.minimum: 'x' is not of type 'number'"),
        ('[outputs]\n"$schema" = "x"', r"outputs.\$schema: must be https"),
    ],
)
def test_what_cannot_stand_is_refused_with_file_and_key(text: str, said: str) -> None:
    with pytest.raises(DeclarationInvalid, match=said) as refused:
        declared(text)
    assert refused.value.detail.startswith("controlroom.toml: ")
    assert refused.value.fields[0].pointer.startswith("/controlroom.toml/")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("90s", 90), ("5m", 300), ("1h30m", 5400), ("1h 30m", 5400), ("250ms", 0.25), ("2d", 172_800), (7, 7), (1.5, 1.5),
     ("60", 60), ("", None), ("5", 5), ("m5", None), ("5x", None), (True, None), (None, None), ([], None)],
)  # fmt: skip
def test_durations(value: object, seconds: float | None) -> None:
    assert duration_seconds(value) == seconds
