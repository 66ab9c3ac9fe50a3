"""The picture of the data centre as one SVG: who calls on the left, the Control Room amid, the rest right.

`parts` says what is drawn, `places` where each box stands, `routes` which way each line takes, `svg` writes it.
"""

from controlroom.network.policy import Policy
from controlroom.network.reports.diagram.parts import picture_of
from controlroom.network.reports.diagram.places import place
from controlroom.network.reports.diagram.routes import route
from controlroom.network.reports.diagram.svg import write

__all__ = ["draw"]


def draw(policy: Policy | None = None, *, styled: bool = True) -> str:
    """Return the SVG of the whole catalogue, or of what one site has of it; the same to the byte each time.

    Not ``styled``, it is a part of a page that styles its classes: those of texts (name, who, port, note), of boxes
    (box, cluster, inner) and of lines (flow and tip, with by-client, by-control-room or by-host).
    """
    picture = picture_of(policy)
    placed = place(picture)
    return write(picture, placed, route(picture, placed), styled=styled)
