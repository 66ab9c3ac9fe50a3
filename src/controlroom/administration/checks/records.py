"""Checks of what must be provable later: the audit log's chain and seal, and its way to a log collector."""

from datetime import timedelta

from controlroom.administration.components import CheckedParts, ComponentCheck, ComponentState, Finding
from controlroom.audit.service import SEAL_SECONDS

_UNSEALED = timedelta(seconds=5 * SEAL_SECONDS)
_FEW_UNSENT = 1_000


async def audit_log(parts: CheckedParts) -> Finding:
    """Look at the seal and at the last proof of the chain; proves nothing anew."""
    state = await parts.audit.state()
    if state.report is not None and state.report.faults:
        return Finding(
            ComponentState.FAILING,
            f"The chain does not hold: {len(state.report.faults):,} faults were found.",
            "Open the audit log for the faults, keep a copy of the database, and compare with a checkpoint kept elsewhere.",
        )
    if state.seal is not None and not state.seal.is_ours:
        return Finding(
            ComponentState.FAILING,
            "The seal was made with another key, or was changed.",
            "Run 'controlroom audit verify'. If only the server's key was changed, run 'controlroom audit seal --anew' once.",
        )
    newest = state.newest.number
    if state.seal is None or (
        state.seal.link.number < newest and parts.clock.now() - state.seal.time > _UNSEALED
    ):
        begun = "not yet sealed" if state.seal is None else f"sealed up to {state.seal.link.number:,}"
        words = f"{newest:,} entries, {begun}."
        if state.seal is None:
            return Finding(ComponentState.OK, f"{words} A seal is made every minute.")
        return Finding(
            ComponentState.WARNING,
            words,
            "Look at the server's log for 'audit.not_sealed', which says what stands in the way.",
        )
    proved = "" if state.proved_at is None else f" Proved whole {state.proved_at:%Y-%m-%d %H:%M} UTC."
    return Finding(ComponentState.OK, f"{newest:,} entries, sealed up to {state.seal.link.number:,}.{proved}")


async def log_collector(parts: CheckedParts) -> Finding:
    """Look how far entries were sent to the log collector, and whether it can be reached."""
    host = parts.settings.audit_syslog_host
    if not host:
        return Finding(ComponentState.OFF, "Audit entries are sent nowhere else.")
    where = f"{host}:{parts.settings.audit_syslog_port}"
    state = await parts.audit.state()
    sent = state.delivery.number if state.delivery else 0
    unsent = state.newest.number - sent
    if state.delivery is not None and state.delivery.failure:
        return Finding(
            ComponentState.FAILING,
            f"{where}: {state.delivery.failure} {unsent:,} entries wait.",
            _COLLECTOR_ADVICE,
        )
    if unsent > _FEW_UNSENT:
        return Finding(
            ComponentState.WARNING, f"{unsent:,} entries wait to be sent to {where}.", _COLLECTOR_ADVICE
        )
    return Finding(ComponentState.OK, f"Sent to {where} up to entry {sent:,} of {state.newest.number:,}.")


_COLLECTOR_ADVICE = (
    "Look whether the collector takes syslog over TLS at this address, whether a firewall lets the server out, and whether its "
    "certificate is one that the server trusts. Nothing is lost meanwhile."
)

CHECKS = (
    ComponentCheck("audit_log", "Audit log", audit_log, "Mend the database first."),
    ComponentCheck("log_collector", "Log collector", log_collector, _COLLECTOR_ADVICE),
)
