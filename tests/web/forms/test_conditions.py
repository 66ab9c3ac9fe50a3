"""Forms whose fields depend on what was given: conditions are followed, forms chosen, and all of it comes back."""

from typing import Any

import pytest

from controlroom.bots.inputs import InputsInvalid, check_inputs
from controlroom.web.forms.fields import VARIANT_SUFFIX, Control, FormField, Typed, lay_out
from controlroom.web.forms.reading import COUNT_SUFFIX, read_values, with_action

DELIVERY: dict[str, Any] = {
    "type": "object",
    "required": ["by"],
    "properties": {
        "by": {"enum": ["mail", "post"]},
        "copy": {"type": "string"},
        "coupon": {"type": "string"},
    },
    "if": {"properties": {"by": {"const": "post"}}, "required": ["by"]},
    "then": {"required": ["street"], "properties": {"street": {"type": "string", "title": "Street"}}},
    "else": {"properties": {"address": {"type": "string", "format": "email"}}},
    "dependentRequired": {"coupon": ["copy"]},
}
SOURCE: dict[str, Any] = {
    "type": "object",
    "properties": {
        "source": {
            "title": "Source",
            "oneOf": [
                {
                    "title": "A folder",
                    "type": "object",
                    "required": ["kind", "path"],
                    "properties": {"kind": {"const": "folder"}, "path": {"type": "string"}},
                },
                {
                    "title": "A mailbox",
                    "type": "object",
                    "required": ["kind", "address", "days"],
                    "properties": {
                        "kind": {"const": "mailbox"},
                        "address": {"type": "string", "format": "email"},
                        "days": {"type": "integer", "minimum": 1},
                    },
                },
            ],
        },
        "amount": {"anyOf": [{"type": "number"}, {"const": "all"}]},
        "due": {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]},
    },
}


def typed(texts: dict[str, str], counts: dict[str, int] | None = None) -> Typed:
    return Typed({f"/inputs/{name}": [text] for name, text in texts.items()}, counts or {})


def laid_out(schema: dict[str, Any], given: Typed) -> FormField:
    return lay_out(schema, values=read_values(schema, given)[0], typed=given)


def names(form: FormField) -> list[str]:
    return [child.pointer.removeprefix("/inputs/") for child in form.children]


def child(form: FormField, pointer: str) -> FormField:
    found = {each.pointer: each for each in form.children}
    return found[pointer]


@pytest.mark.parametrize(("by", "shown"), [("post", "street"), ("mail", "address")])
def test_fields_follow_a_condition(by: str, shown: str) -> None:
    given = typed({"by": f'"{by}"', shown: "a@b.example"})

    assert names(laid_out(DELIVERY, given)) == ["by", "copy", "coupon", shown]
    values, problems = read_values(DELIVERY, given)
    assert (values, problems) == ({"by": by, shown: "a@b.example"}, {})
    assert check_inputs(DELIVERY, values) == values
    assert names(lay_out(DELIVERY, values=values)) == ["by", "copy", "coupon", shown]


def test_only_what_a_condition_looks_at_lays_the_form_out_anew() -> None:
    form = laid_out(DELIVERY, typed({"by": '"post"'}))

    steering = {each.pointer: each.steers for each in form.children}
    assert steering["/inputs/by"]
    assert steering["/inputs/coupon"]
    assert not steering["/inputs/copy"]


def test_a_value_may_ask_for_another() -> None:
    without, given = typed({"by": '"mail"'}), typed({"by": '"mail"', "coupon": "x"})

    assert not child(laid_out(DELIVERY, without), "/inputs/copy").required
    assert child(laid_out(DELIVERY, given), "/inputs/copy").required
    with pytest.raises(InputsInvalid) as refused:
        check_inputs(DELIVERY, read_values(DELIVERY, given)[0])
    assert [(each.pointer, each.message) for each in refused.value.fields] == [
        ("/inputs/copy", "is required together with coupon")
    ]


def test_what_was_typed_under_the_other_condition_waits() -> None:
    given = typed({"by": '"mail"', "street": "Long Lane 1"})

    assert "street" not in names(laid_out(DELIVERY, given))
    assert "street" not in read_values(DELIVERY, given)[0]
    back = Typed({**given.texts, "/inputs/by": ['"post"']}, {})
    assert child(laid_out(DELIVERY, back), "/inputs/street").value == "Long Lane 1"


@pytest.mark.parametrize(
    ("variant", "texts", "value"),
    [
        ("0", {"source/path": "/in"}, {"kind": "folder", "path": "/in"}),
        (
            "1",
            {"source/address": "a@b.example", "source/days": "3"},
            {"kind": "mailbox", "address": "a@b.example", "days": 3},
        ),
    ],
)
def test_the_fields_of_the_chosen_form_follow(
    variant: str, texts: dict[str, str], value: dict[str, Any]
) -> None:
    given = typed({"source" + VARIANT_SUFFIX: variant, **texts})

    source = child(laid_out(SOURCE, given), "/inputs/source")
    assert [option.title for option in source.variants] == ["A folder", "A mailbox"]
    assert source.variant == variant
    assert [each.pointer for each in source.children] == [f"/inputs/{name}" for name in texts]
    values, _ = read_values(SOURCE, given)
    assert values["source"] == value
    assert check_inputs(SOURCE, values) == values


def test_a_value_picks_the_form_that_it_fits() -> None:
    values = {"source": {"kind": "mailbox", "address": "a@b.example", "days": 3}, "amount": "all"}

    form = lay_out(SOURCE, values=values)

    source, amount = child(form, "/inputs/source"), child(form, "/inputs/amount")
    assert (source.variant, [each.value for each in source.children]) == ("1", ["a@b.example", "3"])
    assert (amount.variant, amount.control, amount.value) == ("1", Control.CHOICE, '"all"')


def test_errors_of_the_chosen_form_stand_at_its_fields() -> None:
    given = typed({"source" + VARIANT_SUFFIX: "1", "source/address": "nobody", "source/days": "0"})

    with pytest.raises(InputsInvalid) as refused:
        check_inputs(SOURCE, read_values(SOURCE, given)[0])

    assert {each.pointer for each in refused.value.fields} == {
        "/inputs/source/address",
        "/inputs/source/days",
    }


def test_a_choice_between_plain_kinds_has_the_control_of_the_kind() -> None:
    number = child(laid_out(SOURCE, typed({"amount": "3,5"})), "/inputs/amount")
    assert (number.control, number.variant) == (Control.NUMBER, "0")
    assert read_values(SOURCE, typed({"amount": "3,5"}))[0] == {"amount": 3.5}
    every = typed({"amount" + VARIANT_SUFFIX: "1", "amount": '"all"'})
    assert read_values(SOURCE, every)[0] == {"amount": "all"}


def test_something_or_nothing_is_one_optional_field() -> None:
    due = child(lay_out(SOURCE, values={}), "/inputs/due")

    assert (due.control, due.variants, due.required) == (Control.DATE, (), False)
    must = {**SOURCE, "required": ["due"]}
    assert read_values(must, typed({}))[0]["due"] is None
    assert check_inputs(must, {"due": None}) == {"due": None}


def test_lists_of_lists_and_of_forms_keep_their_items_when_one_is_removed() -> None:
    schema = {
        "type": "object",
        "properties": {
            "orders": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["lines"],
                    "properties": {
                        "lines": {
                            "type": "array",
                            "items": {
                                "type": "object",
                                "properties": {"item": {"type": "string"}, "on": SOURCE["properties"]["due"]},
                            },
                        },
                        "amount": SOURCE["properties"]["amount"],
                    },
                },
            }
        },
    }
    given = Typed(
        {
            "/inputs/orders/0/lines/0/item": ["first"],
            "/inputs/orders/0/amount": ["1"],
            "/inputs/orders/1/lines/0/item": ["second"],
            "/inputs/orders/1/lines/1/on": ["2026-02-03"],
            "/inputs/orders/1/amount#variant": ["1"],
            "/inputs/orders/1/amount": ['"all"'],
        },
        {"/inputs/orders": 2, "/inputs/orders/0/lines": 1, "/inputs/orders/1/lines": 2},
    )
    assert COUNT_SUFFIX not in str(given.texts)

    values, _ = read_values(schema, with_action(given, "remove:/inputs/orders/0"))

    left = {"lines": [{"item": "second"}, {"on": "2026-02-03"}], "amount": "all"}
    assert values == {"orders": [left]}
    assert check_inputs(schema, values) == values


def test_a_condition_on_a_default_holds_from_the_start() -> None:
    schema = {
        **DELIVERY,
        "properties": {**DELIVERY["properties"], "by": {"enum": ["post"], "default": "post"}},
    }

    assert "street" in names(lay_out(schema, values={}))


def test_parts_put_together_are_one_form() -> None:
    schema = {
        "type": "object",
        "allOf": [{"$ref": "#/$defs/who"}, {"properties": {"age": {"type": "integer"}}}],
        "$defs": {
            "who": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}
        },
    }

    form = lay_out(schema, values={"name": "Ana", "age": 4})

    assert [(each.title, each.required, each.value) for each in form.children] == [
        ("Name", True, "Ana"),
        ("Age", False, "4"),
    ]


def test_what_no_form_can_show_stays_json() -> None:
    schema = {
        "type": "object",
        "properties": {
            "pair": {"type": "array", "prefixItems": [{"type": "string"}, {"type": "number"}]},
            "names": {"type": "object", "additionalProperties": {"type": "number"}},
        },
    }

    form = lay_out(schema, values={"names": {"a": 1}})

    assert [each.control for each in form.children] == [Control.JSON, Control.JSON]
