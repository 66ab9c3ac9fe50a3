"""The tree of places at which roles are given: everywhere, folders with their bots, device pools."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from controlroom.identity.places import ROOT, FolderAt, Place, PlaceKind


@dataclass(frozen=True, slots=True)
class PlaceNode:
    """One place as the tree shows it; ``count`` is how many roles are given there itself."""

    place: Place
    title: str
    depth: int
    count: int


def place_tree(
    counts: Mapping[Place, int], names: Mapping[Place, str], folders: Iterable[str], pools: Mapping[str, str]
) -> Sequence[PlaceNode]:
    """Return all places in the order in which they are read.

    ``folders`` are paths that have bots, ``pools`` names by id; what has roles is there too, and the folders above it.
    """
    bots = {place: names[place] for place in counts if place.kind is PlaceKind.BOT}
    paths = _with_those_above(
        [*folders, *(place.value for place in counts if place.kind is PlaceKind.FOLDER)],
        bots.values(),
    )
    titles = {Place(PlaceKind.POOL, pool_id): name for pool_id, name in pools.items()}
    titles |= {place: names[place] for place in counts if place.kind is PlaceKind.POOL}
    nodes = [PlaceNode(ROOT, "Everywhere", 0, counts.get(ROOT, 0))]
    for path in sorted(paths, key=lambda each: each.split("/") if each != "/" else []):
        folder = Place(PlaceKind.FOLDER, path)
        depth = 1 if path == "/" else path.count("/") + 1
        title = "All bots (/)" if path == "/" else path.rpartition("/")[2]
        nodes.append(PlaceNode(folder, title, depth, counts.get(folder, 0)))
        for place, name in sorted(bots.items(), key=lambda item: item[1]):
            if (name.rpartition("/")[0] or "/") == path:
                nodes.append(PlaceNode(place, name.rpartition("/")[2], depth + 1, counts[place]))
    for place, name in sorted(titles.items(), key=lambda item: item[1]):
        nodes.append(PlaceNode(place, name, 1, counts.get(place, 0)))
    return nodes


def _with_those_above(folders: Iterable[str], bots: Iterable[str]) -> set[str]:
    ends = {*folders, *(name.rpartition("/")[0] or "/" for name in bots)}
    return {
        place.value for path in ends for place in FolderAt(path).places() if place.kind is PlaceKind.FOLDER
    }
