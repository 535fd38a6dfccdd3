"""One HTTP request; prints status and body as JSON.

Runs on the host under test, whose loopback is out of reach from elsewhere.
``ask.py URL [USER PASSWORD [BODY]]``; with a body (JSON) it is a POST. For the user
Bearer the password is a token. A server that does not answer is status 0.
"""

from __future__ import annotations

import base64
import json
import sys
import urllib.error
import urllib.request

SECONDS = 120


def main() -> None:
    """Ask and print."""
    url, user, password, body, *_ = [*sys.argv[1:], "", "", ""]
    request = urllib.request.Request(url, data=body.encode() or None)  # noqa: S310 - our own URL
    if user == "Bearer":
        request.add_header("Authorization", f"Bearer {password}")
    elif user:
        secret = base64.b64encode(f"{user}:{password}".encode()).decode()
        request.add_header("Authorization", f"Basic {secret}")
    if body:
        request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:  # noqa: S310
            status, text = answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        status, text = error.code, error.read().decode()
    except OSError as error:
        status, text = 0, str(error)
    print(json.dumps({"status": status, "body": text}))


if __name__ == "__main__":
    main()
