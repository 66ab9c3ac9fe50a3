"""One user: what they may do and where, their sessions, keys and second factors; edit, disable, reset."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Path, Request, Response

from controlroom.foundation.errors import Conflict, Forbidden, Invalid, PreconditionFailed
from controlroom.foundation.paging import LARGEST_LIMIT, PageRequest
from controlroom.identity.access import identity_of, page_caller
from controlroom.identity.caller import Caller
from controlroom.identity.models import User, UserKind
from controlroom.identity.permissions import Permission
from controlroom.web.navigation import ADMINISTRATION
from controlroom.web.rendering import changed, go_to, page
from controlroom.web.revisions import made_from

PATH = f"{ADMINISTRATION}/users"

router = APIRouter(include_in_schema=False, prefix=f"{PATH}/{{user_id}}")

UserId = Annotated[str, Path(max_length=64)]
Reader = Annotated[Caller, page_caller(Permission.USER_READ)]
Manager = Annotated[Caller, page_caller(Permission.USER_MANAGE)]
SessionManager = Annotated[Caller, page_caller(Permission.SESSION_MANAGE)]


@router.get("")
async def user(request: Request, caller: Reader, user_id: UserId) -> Response:
    """Show a user."""
    return await show_user(request, caller, user_id)


@router.get("/edit")
async def edit_page(request: Request, caller: Manager, user_id: UserId) -> Response:
    """Show the form of a user."""
    found = await identity_of(request).accounts.get(user_id)
    typed = {"display_name": found.display_name, "roles": frozenset(found.roles)}
    return await _form(request, caller, found, typed)


@router.post("/edit")
async def edit(
    *,
    request: Request,
    caller: Manager,
    user_id: UserId,
    display_name: Annotated[str, Form(max_length=400)] = "",
    role: Annotated[list[str] | None, Form()] = None,
    revision: Annotated[int, Form(ge=0, le=2**31 - 1)] = 0,
) -> Response:
    """Change a user's name and their roles everywhere, unless someone else did meanwhile."""
    accounts = identity_of(request).accounts
    try:
        await accounts.edit(
            caller, user_id, display_name=display_name, roles=role or [], check_revision=made_from(revision)
        )
    except (Invalid, Conflict, Forbidden, PreconditionFailed) as error:
        errors = {each.pointer: each.message for each in error.fields}
        typed = {"display_name": display_name, "roles": frozenset(role or ())}
        return await _form(
            request, caller, await accounts.get(user_id), typed, errors=errors, status=error.status,
            problem="" if errors else error.detail, is_stale=isinstance(error, PreconditionFailed),
        )  # fmt: skip
    return go_to(request, f"{PATH}/{user_id}")


@router.post("/disable")
async def disable(request: Request, caller: Manager, user_id: UserId) -> Response:
    """Keep a user out."""
    await identity_of(request).accounts.disable(caller, user_id)
    return changed(request, f"{PATH}/{user_id}")


@router.post("/enable")
async def enable(request: Request, caller: Manager, user_id: UserId) -> Response:
    """Let a user in again."""
    await identity_of(request).accounts.enable(caller, user_id)
    return changed(request, f"{PATH}/{user_id}")


@router.post("/reset-password")
async def reset_password(request: Request, caller: Manager, user_id: UserId) -> Response:
    """Make up a new password for a user and show it this once."""
    given = await identity_of(request).accounts.reset_password(caller, user_id)
    return await show_user(request, caller, user_id, secret=given.generated or "")


@router.post("/reset-second-factor")
async def reset_second_factor(request: Request, caller: Manager, user_id: UserId) -> Response:
    """Remove a user's second factors, so that they can sign in and enrol new ones."""
    await identity_of(request).second_factors.reset(caller, user_id)
    return changed(request, f"{PATH}/{user_id}")


@router.post("/sessions/end")
async def end_session(
    request: Request, caller: SessionManager, user_id: UserId, session: Annotated[str, Form(max_length=64)]
) -> Response:
    """Sign a user out of one session."""
    await identity_of(request).sessions.end_anyones(caller, session)
    return changed(request, f"{PATH}/{user_id}")


@router.post("/sessions/end-all")
async def end_sessions(request: Request, caller: SessionManager, user_id: UserId) -> Response:
    """Sign a user out everywhere."""
    await identity_of(request).sessions.end_all_of(caller, user_id)
    return changed(request, f"{PATH}/{user_id}")


async def show_user(
    request: Request, caller: Caller, user_id: str, *, status: int = 200, **shown: Any
) -> Response:
    """Show a user; ``shown`` holds what became of a form: a secret, or what is wrong and what was typed."""
    identity = identity_of(request)
    found = await identity.accounts.get(user_id)
    of_user = PageRequest(filter=f'user:"{found.name}"', limit=LARGEST_LIMIT)
    manages = caller.may(Permission.USER_MANAGE)
    context: dict[str, Any] = {
        "user": found,
        "is_service": found.kind is UserKind.SERVICE,
        "is_self": found.id == caller.user_id,
        "overview": (await identity.overviews.of([found.id]))[found.id],
        "given": (await identity.assignments.page(caller, of_user)).items,
        "sessions": await identity.sessions.live(found.id) if caller.may(Permission.SESSION_MANAGE) else None,
        "keys": (await identity.api_keys.page(caller, of_user, everyones=True)).items,
        "factors": await identity.second_factors.own(found.id),
        "rights": await identity.explanations.rights_of(found) if found.kind is UserKind.SERVICE else [],
        "may_manage": manages,
        "may_audit": caller.may(Permission.AUDIT_READ),
        "secret": "",
        "key_secret": "",
        "key_problem": "",
        "errors": {},
        "key": {"name": "", "days": 90, "permissions": frozenset()},
    }
    return page(request, caller, "pages/administration/user/user.html", {**context, **shown}, status=status)


async def _form(
    request: Request, caller: Caller, found: User, typed: dict[str, Any], *, status: int = 200, **shown: Any
) -> Response:
    context = {
        "user": found,
        "typed": typed,
        "roles": await identity_of(request).roles.all(),
        "errors": {},
        "problem": "",
        "is_stale": False,
        **shown,
    }
    return page(request, caller, "pages/administration/user/edit.html", context, status=status)
