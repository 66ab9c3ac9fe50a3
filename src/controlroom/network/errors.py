"""What can be wrong with a site, a policy, a ruleset or a question about them."""


class NetworkError(Exception):
    """The root of this room's errors; its text says what happened, to which value, and what to do."""


class UnknownName(NetworkError):
    """A service, flow, role, target or host that does not exist was asked for."""

    def __init__(self, kind: str, name: str, nearest: str | None = None) -> None:
        self.kind = kind
        self.name = name
        self.nearest = nearest
        hint = f"; did you mean {nearest!r}?" if nearest else ""
        super().__init__(f"there is no {kind} {name!r}{hint}")


class BadPorts(NetworkError):
    """A text that should say ports does not."""


class BadSite(NetworkError):
    """A site file that cannot stand; names the file, the line, the key and the likely meaning."""

    def __init__(
        self, message: str, *, file: str = "site.toml", line: int | None = None, key: str = ""
    ) -> None:
        self.file = file
        self.line = line
        self.key = key
        place = file if line is None else f"{file}:{line}"
        where = f"{place}: [{key}] " if key else f"{place}: "
        super().__init__(where + message)


class EmptyFlow(NetworkError):
    """A flow that the site asks for has no packet at all, so it can never work."""

    def __init__(self, flow: str, reason: str) -> None:
        self.flow = flow
        super().__init__(f"flow {flow!r} is empty: {reason}")


class CannotExpress(NetworkError):
    """A firewall's language cannot say exactly what the policy needs; nothing was written."""


class NoManagementPath(NetworkError):
    """A rendering would lock the administrators out of a host."""


class ProofFailed(NetworkError):
    """A rendering, read back, is not the policy; it is not shown."""


class BadRuleset(NetworkError):
    """A ruleset cannot be read at all: cut off, of another kind, or too large."""


class BudgetExceeded(NetworkError):
    """A proof grew beyond its node budget and was given up rather than guessed."""

    def __init__(self, nodes: int) -> None:
        self.nodes = nodes
        super().__init__(
            f"the proof needs more than {nodes} nodes; raise --budget, or ask about fewer hosts or ports at a time"
        )


class MissingProgram(NetworkError):
    """A program that the question needs is not installed."""
