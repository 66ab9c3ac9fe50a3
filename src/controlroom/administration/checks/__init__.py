"""The checks of components, in the order in which they are shown."""

from controlroom.administration.checks import records, storage, work
from controlroom.administration.components import ComponentCheck

CHECKS: tuple[ComponentCheck, ...] = (*storage.CHECKS, *work.CHECKS, *records.CHECKS)
