"""Routes of the folders that bots lie in."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field, StringConstraints

from controlroom.bots.api import Bots, Manager, Reader
from controlroom.foundation.http import PROBLEMS, Schema

router = APIRouter(prefix="/api/v1/folders", tags=["bots"], responses=PROBLEMS)

Path = Annotated[str, StringConstraints(min_length=1, max_length=400), Field(examples=["/finance/monthly"])]


class FolderOut(Schema):
    """A folder with bots that one may see."""

    path: str
    bots: int = Field(description="Bots in it.")
    bots_in_all: int = Field(description="Bots in it and in the folders below it.")


class FolderMoveIn(Schema):
    """Where to move a folder."""

    path: Path
    to: Path


class FolderMovedOut(Schema):
    """How many bots moved."""

    bots: int


@router.get("")
async def list_folders(bots: Bots, caller: Reader) -> list[FolderOut]:
    """List the tree of folders, by path."""
    return [
        FolderOut(path=each.path, bots=each.bots, bots_in_all=each.bots_in_all)
        for each in await bots.folders(caller)
    ]


@router.post("/move")
async def move_folder(bots: Bots, caller: Manager, wanted: FolderMoveIn) -> FolderMovedOut:
    """Move a folder with its bots, the folders below it and the roles given there."""
    return FolderMovedOut(bots=await bots.move_folder(caller, wanted.path, wanted.to))
