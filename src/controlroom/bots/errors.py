"""What can be wrong with a bot package, a bot's name or what is asked of a bot."""

from controlroom.foundation.errors import Conflict, FieldError, Invalid, NotFound, TooLarge


class PackageRefused(Invalid):
    """A package is not safe to open, or not a zip; ``entry`` names what is wrong in it where one entry is."""

    code = "package_refused"
    title = "The package cannot be taken"

    def __init__(self, detail: str, *, entry: str = "") -> None:
        self.entry = shown(entry)
        if entry:
            detail = f"{self.entry}: {detail}"
        super().__init__(detail, fields=(FieldError("/package", detail),))


class NotAZip(PackageRefused):
    """The bytes are no zip archive, or a broken one."""

    code = "not_a_zip"


class UnsafeEntry(PackageRefused):
    """An entry's name or kind could do harm where it is unpacked: a path out of the folder, a link, a device."""

    code = "unsafe_entry"


class PackageTooBig(PackageRefused):
    """There is more in the package than is taken: bytes, entries, or an unlikely compression."""

    code = "package_too_big"


class UploadTooLarge(TooLarge):
    """The packed package is larger than this server takes."""

    code = "package_too_large"


class DeclarationInvalid(Invalid):
    """A file of the package says something that cannot stand; the text names the file and the key."""

    code = "declaration_invalid"
    title = "The package's own description cannot stand"


class UnknownFormat(Invalid):
    """No format knows this package."""

    code = "unknown_format"
    title = "This is not a bot package of a known format"


class NameInvalid(Invalid):
    """A bot's or a folder's name cannot stand."""

    code = "name_invalid"


class NoSuchBot(NotFound):
    """There is no such bot."""

    code = "no_such_bot"


class NoSuchVersion(NotFound):
    """The bot has no such version."""

    code = "no_such_version"


class NoSuchTask(Invalid):
    """The package has no task of that name."""

    code = "no_such_task"


class AmbiguousBot(Conflict):
    """Bots of one name are in several folders; say which."""

    code = "ambiguous_bot"


class VersionRetired(Conflict):
    """The version is retired and is not run any more."""

    code = "version_retired"


class NoCurrentVersion(Conflict):
    """No version of the bot is the current one."""

    code = "no_current_version"


class CurrentVersionKept(Conflict):
    """The current version cannot be retired; make another one current first."""

    code = "current_version"


_SHOWN_CHARACTERS = 120


def shown(name: str) -> str:
    """Return a name that is fit to be shown: on one line, without control characters, not endless."""
    plain = "".join(
        character if character.isprintable() else f"\\x{ord(character):02x}" for character in name[:400]
    )
    return plain if len(plain) <= _SHOWN_CHARACTERS else f"{plain[: _SHOWN_CHARACTERS - 1]}…"


def declaration_error(file: str, key: str, message: str) -> DeclarationInvalid:
    """Return an error that names the file and the key, such as ``controlroom.toml: retry.count: must be ...``."""
    where = f"{shown(file)}: {shown(key)}" if key else shown(file)
    pointer = "/" + "/".join(part for part in (file, *key.split(".")) if part)
    return DeclarationInvalid(f"{where}: {message}", fields=(FieldError(shown(pointer), message),))
