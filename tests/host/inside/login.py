"""Log in to the web interface as a browser does; print what it showed as JSON.

``login.py BASE LOGIN-PATH FRONT-PATH USER PASSWORD``. Cookies are kept, the
form's CSRF token is sent back.
"""

from __future__ import annotations

import json
import re
import sys
import urllib.parse
import urllib.request
from http.cookiejar import CookieJar

SECONDS = 120


def main() -> None:
    """Get the form, send it, look at the front page."""
    base, login, front, user, password = sys.argv[1:]
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    with browser.open(base + login, timeout=SECONDS) as answer:
        form = answer.read().decode()
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', form)
    fields = {"username": user, "password": password, "csrf_token": token[1] if token else ""}
    data = urllib.parse.urlencode(fields).encode()
    with browser.open(base + login, data=data, timeout=SECONDS) as answer:
        answer.read()
    with browser.open(base + front, timeout=SECONDS) as answer:
        page, where = answer.read().decode(), answer.geturl()
    print(json.dumps({"token": bool(token), "page": page, "where": where}))


if __name__ == "__main__":
    main()
