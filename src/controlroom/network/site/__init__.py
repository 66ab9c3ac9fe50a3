"""The site: the declared data centre that policy, renderings and proofs follow from."""

from controlroom.network.site.model import (
    OUTSIDE,
    BalancerMode,
    Options,
    Party,
    PartyKind,
    Site,
    SiteFlow,
    System,
    Zone,
)
from controlroom.network.site.parser import parse_site, read_site

__all__ = [
    "OUTSIDE",
    "BalancerMode",
    "Options",
    "Party",
    "PartyKind",
    "Site",
    "SiteFlow",
    "System",
    "Zone",
    "parse_site",
    "read_site",
]
