"""Answers of bulk actions that every list gives in the same way: the question before, the notice after."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import Request, Response

from controlroom.identity.caller import Caller
from controlroom.web.rendering import changed, is_htmx, page


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked before a bulk action: ``words`` say what will happen, to how many."""

    title: str
    words: str
    label: str
    """The button that does it."""
    changes: int
    """How many it would change; the button is there only for some."""
    action: str
    back: str
    list_title: str
    ids: Sequence[str] = ()
    filter: str = ""
    everything: bool = False
    kind: str = "primary"
    asks_reason: bool = True
    """Whether the action keeps a reason, which is then asked for."""


def ask(request: Request, caller: Caller, plan: Plan) -> Response:
    """Return the question: a dialog for a script, a page without one."""
    return page(request, caller, "pages/bulk/bulk.html", {"plan": plan, "is_part": is_htmx(request)})


def tell(request: Request, caller: Caller, words: str, refused: Sequence[str], back: str) -> Response:
    """Say what became of it in a notice, and let the list show it; without script, go back to the list."""
    if not is_htmx(request):
        return changed(request, back)
    answer = page(request, caller, "pages/bulk/done.html", {"words": words, "refused": refused})
    answer.headers["HX-Retarget"] = "#notices"
    answer.headers["HX-Reswap"] = "afterbegin"
    answer.headers["HX-Trigger"] = "controlroom:changed"
    return answer
