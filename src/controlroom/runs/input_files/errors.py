"""What can be wrong with files as inputs."""

from controlroom.foundation.errors import Conflict, NotFound, TooLarge


class InputFileNotFound(NotFound):
    """There is no such file, or none that the caller may use."""

    code = "input_file_not_found"


class TooManyUnusedFiles(TooLarge):
    """Someone has uploaded more than they have used."""

    code = "too_many_unused_files"
    title = "Too many files lie unused"


class InputFileInUse(Conflict):
    """A run was given the file, and keeps it."""

    code = "input_file_in_use"


class InputFileDamaged(Conflict):
    """The stored file is not what was uploaded; no runner need ask again, and the attempt is rejected."""

    code = "input_file_damaged"
    title = "A file that the run was given is damaged"
