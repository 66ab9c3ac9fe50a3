"""What the API takes and gives about saved filters."""

from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints

from controlroom.filters.models import FILTER_LENGTH, LIST_LENGTH, NAME_LENGTH, SORT_LENGTH
from controlroom.foundation.http import Schema

ListName = Annotated[str, StringConstraints(pattern="^[a-z][a-z_]*$", max_length=LIST_LENGTH)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=NAME_LENGTH, strip_whitespace=True)]
FilterText = Annotated[str, StringConstraints(max_length=FILTER_LENGTH, strip_whitespace=True)]
SortText = Annotated[str, StringConstraints(max_length=SORT_LENGTH, pattern="^(-?[a-z_]+)?$")]


class FilterIn(Schema):
    """A filter to keep."""

    list_name: ListName = Field(description="The list that it is for.", examples=["runs"])
    name: Name = Field(examples=["Failed this week"])
    filter: FilterText = Field("", examples=["state:failed bot:invoices"])
    sort: SortText = Field("", examples=["-created"])
    shared: bool = Field(False, description="Whether everyone sees it.")


class FilterEditIn(Schema):
    """What to change; what is absent stays."""

    name: Name | None = None
    filter: FilterText | None = None
    sort: SortText | None = None
    shared: bool | None = None


class FilterOut(Schema):
    """A saved filter."""

    id: str
    list_name: str
    name: str
    filter: str
    sort: str
    owner_id: str
    owner_name: str
    shared: bool
    created_at: datetime
    updated_at: datetime
