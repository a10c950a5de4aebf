"""Files that pages need: style, a little script, icons. Browsers keep them; their address changes."""

from __future__ import annotations

import mimetypes

from starlette.responses import Response

from retinue.errors import NotFound
from retinue.web.rendering import static, static_file
from retinue.web.site import Door, Visit

_KINDS = {".js": "text/javascript", ".svg": "image/svg+xml", ".LICENSE": "text/plain"}


def file(visit: Visit) -> Response:
    name = visit.path["name"]
    try:
        content = static_file(name)
    except FileNotFoundError:
        raise NotFound(f"no file {name!r}") from None
    ending = "." + name.rpartition(".")[2]
    kind = _KINDS.get(ending) or mimetypes.guess_type(name)[0] or "application/octet-stream"
    # Under the address of other bytes these would stay wrong for a year.
    named = static(name).endswith(f"?v={visit.query['v']}") if "v" in visit.query else False
    kept = "public, max-age=31536000, immutable" if named else "no-cache"
    return Response(content, media_type=kind, headers={"Cache-Control": kept})


DOORS = (Door("/static/{name:path}", None, show=file),)
