"""What the renderings for network devices share: a mark for each generation, groups of addresses said once, remarks.

Devices merge what is loaded into what they hold. Every name of ours therefore carries a digest of all that the rules
say: another contract has other names, so that nothing of an older one ever widens a newer one, the same contract has
the same names, so that loading it twice is loading it once, and what is old can be removed by its names.
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from controlroom.network.addresses import Family, format_address
from controlroom.network.errors import CannotExpress
from controlroom.network.intervals import IntervalSet
from controlroom.network.policy import Permit
from controlroom.network.projection import Direction, Projection, Scope
from controlroom.network.renderers.cloud_documents import grouped
from controlroom.network.renderers.interface import TAG, RenderedFile, Rendering

# 32 bits: two contracts of one device that meet by chance are refused by nobody, and as good as impossible.
_DIGEST_LENGTH = 8
# Such devices stand between zones: what one machine sends to its neighbour never passes them.
BORDER = frozenset({Scope.BORDER})
# What to do where a device cannot hold so many rules.
MEND = "declare wider prefixes in the site, or render the borders between two zones each"
# Letters that neither a command line (?, tab, control signs) nor a quotation gives a meaning to, on any of the devices.
_ODD = re.compile(r"[^A-Za-z0-9 .,:;()/_+=*-]+")


def crossings(projection: Projection) -> list[Permit]:
    """Return what may cross a border, the fewest rules; raise `CannotExpress` for a host."""
    if Direction.FORWARD not in projection.permits:
        raise CannotExpress(
            f"such a device stands between zones, not on host {projection.name!r}; give --border"
        )
    return grouped(projection, Direction.FORWARD)


def device_rendering(
    target: str, projection: Projection, suffix: str, *, rules: str, removal: str, steps: Callable[[str], str]
) -> Rendering:
    """Return the three files of a device: the rules, what removes exactly these, and the steps, which name them."""
    stem = f"{projection.name}-{target}"
    return Rendering(
        target,
        (
            RenderedFile(f"{stem}.{suffix}", rules),
            RenderedFile(f"{stem}-remove.{suffix}", removal, is_rules=False),
            RenderedFile(f"{stem}-steps.txt", steps(stem), is_rules=False),
        ),
    )


def generation(permits: list[Permit]) -> str:
    """Return the mark of all names that stand for exactly these permits."""
    digest = hashlib.sha256()
    for one in permits:
        digest.update(
            repr(
                (
                    one.flow,
                    one.purpose,
                    int(one.family),
                    str(one.transport),
                    one.sources.intervals,
                    one.destinations.intervals,
                    one.ports.intervals,
                )
            ).encode()
        )
    return f"{TAG}-{digest.hexdigest()[:_DIGEST_LENGTH]}"


def remark(text: str, longest: int) -> str:
    """Return a text that stays a text on a device's command line; other signs become a space, a long one is cut."""
    plain = " ".join(_ODD.sub(" ", text).split())
    return plain if len(plain) <= longest else plain[: longest - 3].rstrip() + "..."


def about(permit: Permit) -> str:
    """Return the words by which a rule says its flow and what it is for."""
    return f"{TAG}: {permit.flow}: {permit.purpose}"


def netmask(length: int) -> str:
    """Return the IPv4 mask of a prefix length."""
    return format_address(Family.IPV4, ((1 << length) - 1) << (32 - length))


@dataclass(slots=True)
class Sets:
    """Names sets of addresses or ports, the same set of one kind once, in the order in which they are asked for."""

    mark: str
    _kinds: dict[str, dict[IntervalSet, str]] = field(default_factory=dict)

    def refer(self, kind: str, value: IntervalSet) -> str:
        """Return the name of a set; ``kind`` is a word that stands in the name."""
        names = self._kinds.setdefault(kind, {})
        name = names.get(value)
        if name is None:
            name = names[value] = f"{self.mark}-{kind}{len(names) + 1}"
        return name

    def of_kind(self, kind: str) -> list[tuple[str, IntervalSet]]:
        """Return the names and sets of a kind."""
        return [(name, value) for value, name in self._kinds.get(kind, {}).items()]
