"""The tour of a first start: publishes the example bots, runs the first, and leaves a key for this machine's commands."""

import io
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from controlroom.foundation.errors import Unavailable

_REQUEST_SECONDS = 30
_RUN_SECONDS = 300
_POLL_SECONDS = 0.25
_KEY_DAYS = 365
_ENDED = {"succeeded", "failed", "cancelled", "timed_out", "lost", "rejected"}


@dataclass(frozen=True, slots=True)
class Tour:
    """A signed-in client of the Control Room that was just started."""

    client: httpx.Client
    csrf_token: str
    permissions: Sequence[str]

    def publish(self, folder: Path) -> dict[str, Any]:
        """Publish an example; the same content as before changes nothing."""
        from controlroom.bots.packages import pack

        package = io.BytesIO()
        pack(folder, package)
        headers = {"Content-Type": "application/zip"}
        published: dict[str, Any] = self._post("/api/v1/bots", content=package.getvalue(), headers=headers)
        return published

    def run(self, bot_id: str, reason: str) -> dict[str, Any]:
        """Ask for a run."""
        run: dict[str, Any] = self._post("/api/v1/runs", json={"bot": bot_id, "reason": reason})
        return run

    def wait_for(self, run_id: str) -> Iterator[dict[str, Any]]:
        """Give the run each time its state or step has changed, until it has ended."""
        deadline, last = time.monotonic() + _RUN_SECONDS, ("", "")
        while time.monotonic() < deadline:
            run = self._get(f"/api/v1/runs/{run_id}")
            seen = (run["state"], run["attempts"][-1]["step"] if run["attempts"] else "")
            if seen != last:
                last = seen
                yield run
            if run["state"] in _ENDED:
                return
            time.sleep(_POLL_SECONDS)

    def artifacts(self, run_id: str) -> list[dict[str, Any]]:
        """Return the files that a run left."""
        found: list[dict[str, Any]] = self._get(f"/api/v1/runs/{run_id}/artifacts")
        return found

    def make_key(self, name: str) -> str:
        """Make an API key for the commands of this machine."""
        expires_at = datetime.now(UTC) + timedelta(days=_KEY_DAYS - 1)
        body = {"name": name, "permissions": list(self.permissions), "expires_at": expires_at.isoformat()}
        return str(self._post("/api/v1/api-keys", json=body)["secret"])

    def _get(self, path: str) -> Any:
        return _checked(self.client.get(path))

    def _post(self, path: str, **content: Any) -> Any:
        headers = {**content.pop("headers", {}), "X-CSRF-Token": self.csrf_token}
        return _checked(self.client.post(path, headers=headers, **content))


@contextmanager
def signed_in(url: str, name: str, password: str) -> Iterator[Tour]:
    """Sign in for the length of the block."""
    with httpx.Client(
        base_url=url, timeout=_REQUEST_SECONDS, headers={"Origin": url}, trust_env=False
    ) as client:
        session = _checked(client.post("/api/v1/session", json={"name": name, "password": password}))
        yield Tour(client, session["csrf_token"], session["permissions"])
        client.delete("/api/v1/session", headers={"X-CSRF-Token": session["csrf_token"]})


def example_folders(folder: Path) -> list[Path]:
    """Return the example bots in a folder, the one to run first at the front."""
    first = ("reconcile-orders",)
    found = (
        sorted(path for path in folder.iterdir() if path.is_dir() and _is_bot(path))
        if folder.is_dir()
        else []
    )
    return sorted(found, key=lambda path: (path.name not in first, path.name))


def _is_bot(folder: Path) -> bool:
    return any(
        (folder / name).exists() for name in ("pyproject.toml", "controlroom.toml", "robot.yaml")
    ) or any(
        "# /// script" in path.read_text(encoding="utf-8", errors="replace") for path in folder.glob("*.py")
    )


def _checked(answer: httpx.Response) -> Any:
    if answer.is_success:
        return answer.json()
    detail = (
        answer.json().get("detail", "")
        if "json" in answer.headers.get("content-type", "")
        else answer.reason_phrase
    )
    raise Unavailable(f"The Control Room answered {answer.status_code}: {detail}")
