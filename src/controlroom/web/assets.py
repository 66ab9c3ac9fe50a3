"""Static files: read once, given under an address that holds the hash of all of them, so that browsers keep them for ever.

One hash for the whole tree, not one a file, lets ES modules import each other by relative paths.
"""

import gzip
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter, FastAPI, Request, Response

from controlroom.foundation.errors import NotFound
from controlroom.identity.access import PUBLIC
from controlroom.web.theme import theme_css

WEB_FOLDER = Path(__file__).parent
PREFIX = "/static"

_IMMUTABLE = "public, max-age=31536000, immutable"
_MEDIA_TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
_DIGEST_LENGTH = 16
_NEVER = re.compile(r"q=0(\.0*)?")
_SVG_BODY = re.compile(r"<svg[^>]*>(.*)</svg>", re.DOTALL)
_STYLES = (
    "base",
    "shell",
    "components",
    "table",
    "axis",
    "forms",
    "pages",
    "dashboard",
    "audit",
    "administration",
    "network",
    "log",
)
"""Style sheets in the order in which they stand in the one that browsers get."""


@dataclass(frozen=True, slots=True)
class Assets:
    """Every static file by its path, and the hash of them all."""

    files: dict[str, bytes]
    digest: str

    def url(self, path: str) -> str:
        """Return the address of a file; raise `KeyError` for one that is not there."""
        if path not in self.files:
            raise KeyError(path)
        return f"{PREFIX}/{self.digest}/{path}"


def read_assets() -> Assets:
    """Read all static files of the package."""
    files = dict(_files())
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(path.encode() + b"\0" + files[path] + b"\0")
    return Assets(files, digest.hexdigest()[:_DIGEST_LENGTH])


def mount_assets(app: FastAPI, assets: Assets) -> None:
    """Give the files at ``/static/<hash>/<path>``; under another hash, as during an upgrade, they are not kept."""
    packed = {path: gzip.compress(content, mtime=0) for path, content in assets.files.items()}
    router = APIRouter(prefix=PREFIX, dependencies=[PUBLIC], include_in_schema=False)

    @router.get("/{digest}/{path:path}")
    async def static_file(digest: str, path: str, request: Request) -> Response:
        content = assets.files.get(path)
        if content is None:
            raise NotFound(f"There is no file {request.url.path}.")
        caching = _IMMUTABLE if digest == assets.digest else "no-cache"
        headers = {"Cache-Control": caching, "Vary": "Accept-Encoding"}
        if _takes_gzip(request):
            content, headers["Content-Encoding"] = packed[path], "gzip"
        return Response(content, media_type=_MEDIA_TYPES[Path(path).suffix], headers=headers)

    app.include_router(router)


def _takes_gzip(request: Request) -> bool:
    """Say whether a browser names gzip among what it takes (RFC 9110 section 12.5.3).

    Only what is the same for everyone is packed: the length of a packed page could give its secrets away (BREACH).
    """
    for part in request.headers.get("accept-encoding", "").split(","):
        name, _, weight = part.partition(";")
        if name.strip().lower() == "gzip":
            return _NEVER.fullmatch(weight.replace(" ", "").lower()) is None
    return False


def _files() -> Iterator[tuple[str, bytes]]:
    sheets = [(WEB_FOLDER / "styles" / f"{name}.css").read_text("utf-8") for name in _STYLES]
    yield "controlroom.css", "\n".join([theme_css(), *sheets]).encode()
    yield "icons.svg", _icon_sprite().encode()
    yield "logo.svg", (WEB_FOLDER / "shell" / "logo.svg").read_bytes()
    for script in sorted((WEB_FOLDER / "islands").glob("*.js")):
        yield f"islands/{script.name}", script.read_bytes()
    for script in sorted((WEB_FOLDER / "vendor").rglob("*.js")):
        yield f"vendor/{script.name}", script.read_bytes()


def _icon_sprite() -> str:
    """Put the icons into one file of symbols; the vendored files themselves stay as they came."""
    symbols = []
    for file in sorted((WEB_FOLDER / "vendor" / "lucide").glob("*.svg")):
        body = _SVG_BODY.search(file.read_text("utf-8"))
        if body is None:
            raise ValueError(f"{file.name} is no SVG picture")
        symbols.append(
            f'<symbol id="{file.stem}" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" '
            f'stroke-linecap="round" stroke-linejoin="round">{body[1].strip()}</symbol>'
        )
    return f'<svg xmlns="http://www.w3.org/2000/svg">{"".join(symbols)}</svg>'
