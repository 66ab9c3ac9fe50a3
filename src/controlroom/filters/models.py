"""The table of saved filters."""

from datetime import datetime

from sqlalchemy import Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from controlroom.foundation.database import Base, UtcDateTime
from controlroom.foundation.ids import ID_LENGTH

LIST_LENGTH = 40
NAME_LENGTH = 60
FILTER_LENGTH = 1000
SORT_LENGTH = 60


class SavedFilter(Base):
    """A filter under a name; ``revision`` counts edits, for ETags."""

    __tablename__ = "saved_filters"
    __table_args__ = (
        UniqueConstraint("owner_id", "list_name", "name"),
        Index(None, "list_name", "name"),
    )

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    list_name: Mapped[str] = mapped_column(String(LIST_LENGTH))
    name: Mapped[str] = mapped_column(String(NAME_LENGTH))
    filter: Mapped[str] = mapped_column(String(FILTER_LENGTH))
    sort: Mapped[str] = mapped_column(String(SORT_LENGTH), default="")
    owner_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    owner_name: Mapped[str] = mapped_column(String(200))
    shared: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    revision: Mapped[int] = mapped_column(default=1)
