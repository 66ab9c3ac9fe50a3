"""The whole API under generated input, as every kind of caller: no server error, nothing the description does not tell."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from bad_input.conftest import Stocked
from controlroom.identity.permissions import SHIPPED_ROLES

pytestmark = pytest.mark.timeout(240)

_CHECKS = [not_a_server_error, content_type_conformance, response_schema_conformance, status_code_conformance]
_ENDLESS = {"/api/v1/events", "/api/v1/attempts/{attempt_id}/log/stream"}
"""Streams, which answer for as long as they are listened to."""
_EXAMPLES: dict[str | None, int] = {**dict.fromkeys(SHIPPED_ROLES, 3), "administrator": 10, None: 3}
"""How often each route is tried, by role; None is nobody."""
_ANSWER_SECONDS = 20
_SHUTS_OUT = {("post", "/api/v1/session")}
"""Failed sign-ins throttle the address, which is tested elsewhere."""


@pytest.mark.parametrize("role", _EXAMPLES, ids=str)
def test_generated_input_breaks_nothing(stocked: Stocked, role: str | None) -> None:
    faults: list[str] = []
    count = 0
    for operation in _operations(stocked):
        count += 1
        try:
            _fuzz(stocked, operation, role)
        except (FailureGroup, AssertionError, httpx.HTTPError) as fault:
            faults.append(f"{operation.label}: {_words(fault)}")
    assert count > 50, "the description was not read"
    assert not faults, "\n\n".join(faults)


def _operations(stocked: Stocked) -> Iterator[APIOperation[Any, Any, Any, Any]]:
    with stocked.room.client() as client:
        document = client.get("/api/v1/openapi.json").raise_for_status().json()
    schema = schemathesis.openapi.from_dict(document)
    for result in schema.get_all_operations():
        assert isinstance(result, Ok), result
        operation = result.ok()
        if operation.path not in _ENDLESS and (operation.method, operation.path) not in _SHUTS_OUT:
            yield operation


def _fuzz(stocked: Stocked, operation: APIOperation[Any, Any, Any, Any], role: str | None) -> None:
    modes = [GenerationMode.POSITIVE, GenerationMode.NEGATIVE]
    cases = st.sampled_from(modes).flatmap(lambda mode: operation.as_strategy(generation_mode=mode))
    headers = {} if role is None else {"Authorization": f"Bearer {stocked.room.keys[role]}"}

    @settings(
        max_examples=_EXAMPLES[role],
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases, real=st.booleans())
    def try_one(case: Case[Any], real: bool) -> None:
        if real and operation.method != "delete":  # other tests need what lies there
            case.path_parameters.update(
                {
                    name: stocked.known[name]
                    for name in tuple(case.path_parameters or {})
                    if name in stocked.known
                }
            )
        response = case.call(
            base_url=stocked.room.url, headers=headers, timeout=_ANSWER_SECONDS, allow_redirects=False
        )
        case.validate_response(response, checks=_CHECKS)
        if role is None and operation.path.startswith("/api/"):
            assert response.status_code >= 400, f"{response.status_code} for nobody"
        if response.status_code >= 400 and operation.path.startswith("/api/"):
            problem = response.json()
            assert problem["status"] == response.status_code
            assert problem["detail"]

    try_one()


def _words(fault: BaseException) -> str:
    if isinstance(fault, FailureGroup):
        return "; ".join(str(each) for each in fault.exceptions)[:1500]
    return str(fault)[:1500]
