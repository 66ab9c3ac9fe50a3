"""Puts the web UI onto an app: pages, static files, and what people see when something fails."""

from fastapi import FastAPI
from starlette.middleware import Middleware

from controlroom.web.assets import mount_assets, read_assets
from controlroom.web.failures import handle_failures
from controlroom.web.live.sharing import LiveAnswers
from controlroom.web.pages.activity import view as activity
from controlroom.web.pages.administration.about import view as administration_about
from controlroom.web.pages.administration.health import view as administration_health
from controlroom.web.pages.administration.keys import view as administration_keys
from controlroom.web.pages.administration.rights import view as administration_rights
from controlroom.web.pages.administration.role import view as administration_role
from controlroom.web.pages.administration.roles import view as administration_roles
from controlroom.web.pages.administration.sessions import view as administration_sessions
from controlroom.web.pages.administration.settings import view as administration_settings
from controlroom.web.pages.administration.start import view as administration_start
from controlroom.web.pages.administration.user import keys as administration_user_keys
from controlroom.web.pages.administration.user import view as administration_user
from controlroom.web.pages.administration.users import view as administration_users
from controlroom.web.pages.audit import view as audit
from controlroom.web.pages.audit_entry import view as audit_entry
from controlroom.web.pages.bot import view as bot
from controlroom.web.pages.bots import view as bots
from controlroom.web.pages.dashboard import view as dashboard
from controlroom.web.pages.device import view as device
from controlroom.web.pages.devices import view as devices
from controlroom.web.pages.filters import view as filters
from controlroom.web.pages.jump import view as jump
from controlroom.web.pages.me import second_factor
from controlroom.web.pages.me import view as me
from controlroom.web.pages.network import view as network
from controlroom.web.pages.network_probes import view as network_probes
from controlroom.web.pages.network_proof import view as network_proof
from controlroom.web.pages.network_rules import view as network_rules
from controlroom.web.pages.network_site import view as network_site
from controlroom.web.pages.pool import view as pool
from controlroom.web.pages.pools import view as pools
from controlroom.web.pages.publish_bot import view as publish_bot
from controlroom.web.pages.run import view as run
from controlroom.web.pages.run_form import view as run_form
from controlroom.web.pages.sign_in import view as sign_in
from controlroom.web.pages.why import view as why
from controlroom.web.rendering import make_environment

_PAGES = (
    sign_in,
    dashboard,
    activity,
    audit,
    audit_entry,
    run,
    run_form,
    publish_bot,
    bot,
    bots,
    devices,
    device,
    pools,
    pool,
    me,
    second_factor,
    administration_start,
    administration_users,
    administration_user,
    administration_user_keys,
    administration_roles,
    administration_role,
    administration_rights,
    administration_sessions,
    administration_keys,
    administration_settings,
    administration_health,
    administration_about,
    network,
    network_rules,
    network_proof,
    network_probes,
    network_site,
    why,
    jump,
    filters,
)


def mount_web(app: FastAPI) -> None:
    """Add the web UI. Call it last: requests that are not for pages keep the error handlers that the app has by then.

    The pages use ``app.state``: identity, bots, runs, devices, joining, clock, events, live_parts and live_budget, at the time of a request.
    """
    assets = read_assets()
    app.state.templates = make_environment(assets)
    mount_assets(app, assets)
    for each in _PAGES:
        app.include_router(each.router)
    handle_failures(app)
    app.user_middleware.append(
        Middleware(LiveAnswers)
    )  # innermost: what stands around every request stands around it too
