"""What can go wrong with saved filters."""

from controlroom.foundation.errors import Conflict, Forbidden, NotFound


class NoSuchFilter(NotFound):
    """There is no such filter, or none that this person may see."""

    code = "no_such_filter"


class FilterNameTaken(Conflict):
    """The person has a filter of this name for this list."""

    code = "filter_name_taken"


class TooManyFilters(Conflict):
    """The person has as many filters as one may keep."""

    code = "too_many_filters"


class FilterOfAnother(Forbidden):
    """Only who made a filter may change it."""

    code = "filter_of_another"
