"""Takes declarations out of a text of YAML by commenting them, with the reason above them."""

from __future__ import annotations

from collections.abc import Mapping

from retinue.project import yaml

Path = tuple[str | int, ...]


def without(text: str, gone: Mapping[Path, str]) -> str:
    """`text` with what stands at the paths in `gone` commented out, each with its reason.

    Each of these begins a line of its own.
    """
    (document,) = yaml.documents(text, "", {}, [])
    starts = {path: place.line or 1 for path, place in document.places.items() if path}
    lines = text.splitlines()
    for path, reason in sorted(gone.items(), key=lambda item: -starts[item[0]]):
        first = starts[path]
        later = [at for other, at in starts.items() if other[: len(path)] != path and at > first]
        last = min(later, default=len(lines) + 1) - 1
        # Comments and blank lines above the next declaration belong to it.
        while last > first and (not lines[last - 1].strip() or lines[last - 1].lstrip().startswith("#")):
            last -= 1
        indent = lines[first - 1][: len(lines[first - 1]) - len(lines[first - 1].lstrip())]
        told = [f"{indent}# left out: {reason}"]
        told += [f"{indent}# {line[len(indent) :]}".rstrip() for line in lines[first - 1 : last]]
        lines[first - 1 : last] = told
    return "\n".join(lines) + "\n"
