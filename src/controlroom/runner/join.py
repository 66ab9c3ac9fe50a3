"""Joining: a one-time token is exchanged for the runner's own key."""

import msgspec

from controlroom.foundation.errors import (
    Conflict,
    ControlRoomError,
    Forbidden,
    Invalid,
    NotFound,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
)
from controlroom.protocol.join import JoinReply, JoinRequest
from controlroom.protocol.wire import JOIN_PATH
from controlroom.runner.facts import machine_facts
from controlroom.runner.identity import Identity
from controlroom.runner.link.address import ControlRoomAddress, control_room_url, http_client
from controlroom.runner.link.transport import refusal_detail

_REFUSALS: dict[int, tuple[type[ControlRoomError], str]] = {
    401: (
        Unauthenticated,
        "The join token is not known, was used before, or has expired. Ask for a new one.",
    ),
    403: (Forbidden, "The Control Room does not let this token join a runner. Ask for a new one."),
    404: (NotFound, "No Control Room answers there. Check the address."),
    409: (Conflict, "A device of this name exists already. Choose another with --name."),
    422: (Invalid, "The Control Room does not accept what was sent."),
    429: (TooManyRequests, "Too many tries. Wait a minute and try again."),
}


async def join_control_room(
    url: str, token: str, *, name: str, slots: int = 1, labels: tuple[str, ...] = ()
) -> Identity:
    """Exchange the token and return the identity, which the caller saves: the key is shown this once.

    Raises the `ControlRoomError` that says why it was refused, or `Unavailable` where nobody answers.
    """
    import httpx

    address = ControlRoomAddress(control_room_url(url))
    request = JoinRequest(token=token, name=name, facts=machine_facts(), slots=slots, labels=labels)
    try:
        async with http_client(address) as client:
            answer = await client.post(
                address.http(JOIN_PATH),
                content=msgspec.json.encode(request),
                headers={"Content-Type": "application/json"},
            )
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise Unavailable(f"The Control Room at {address.url} cannot be reached: {error}.") from None
    if not answer.is_success:
        raise _refusal(answer.status_code, answer.content, address.url)
    try:
        reply = msgspec.json.decode(answer.content, type=JoinReply)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise Unavailable(
            f"What answers at {address.url} is not a Control Room. Check the address."
        ) from None
    return Identity(address.url, reply.device_id, reply.device_name, reply.key, slots, labels)


def _refusal(status: int, body: bytes, url: str) -> ControlRoomError:
    detail = refusal_detail(body).strip()
    if status in _REFUSALS:
        kind, sentence = _REFUSALS[status]
        return kind(detail or sentence)
    return Unavailable(f"The Control Room at {url} answered {status}. {detail or 'Try again later.'}")
