"""The API of identity: who is signed in, users, roles and rights, one's own account, API keys."""

from fastapi import APIRouter

from controlroom.identity.routes import (
    account,
    api_keys,
    roles,
    second_factors,
    session,
    users,
)

router = APIRouter(prefix="/api/v1")
for _routes in (
    second_factors.router,
    session.router,
    account.router,
    account.sessions_router,
    users.router,
    roles.router,
    api_keys.router,
):
    router.include_router(_routes)
