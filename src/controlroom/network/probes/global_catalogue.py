"""The global catalogue of Active Directory: LDAP whose root entry says that it is a ready catalogue (MS-ADTS 3.1.1.3.2)."""

from controlroom.network.probes.conversation import Conversation
from controlroom.network.probes.errors import NotThisProtocol
from controlroom.network.probes.interface import Probe
from controlroom.network.probes.ldap import answer_ldap, look_around


async def ask_global_catalogue(conversation: Conversation) -> str:
    """Return whose catalogue it is."""
    _, shown = await look_around(conversation)
    if shown.get("isglobalcatalogready", "").upper() != "TRUE":
        raise NotThisProtocol("speaks LDAP, but does not say that it is a global catalogue")
    held = shown.get("defaultnamingcontext") or shown.get("namingcontexts", "")
    return f"global catalogue of {held}"


PROBE = Probe(
    "global-catalogue",
    "LDAP global catalogue",
    ask_global_catalogue,
    answer_ldap,
    services=("global-catalogue",),
)
