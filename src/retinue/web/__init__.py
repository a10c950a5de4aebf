"""Pages for people in a browser: parse, one call, render. Starlette, Jinja2, and htmx where it helps."""
