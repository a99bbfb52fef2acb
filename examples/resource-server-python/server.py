"""An API with notes: everybody's token must be for it, reading needs the scope `read`, writing `write`.

    pip install -r requirements.txt
    ISSUER=http://127.0.0.1:8080 AUDIENCE=http://127.0.0.1:3000 LISTEN=127.0.0.1:3000 python server.py
"""

import json
import os
import re
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt

ISSUER, AUDIENCE, LISTEN = (os.environ[name] for name in ("ISSUER", "AUDIENCE", "LISTEN"))
LONGEST_TOKEN = 16 * 1024


def keys_of(issuer):
    """RFC 8414 section 3: the keys are where the issuer's metadata says, if they are the metadata of this issuer."""
    parts = urllib.parse.urlsplit(issuer)
    place = f"{parts.scheme}://{parts.netloc}/.well-known/oauth-authorization-server{parts.path.rstrip('/')}"
    with urllib.request.urlopen(place, timeout=5) as answer:
        metadata = json.load(answer)
    if metadata["issuer"] != issuer:
        raise ValueError(f"these are the metadata of {metadata['issuer']}")
    # Fetched when they are needed, kept for five minutes, and again for an unknown `kid`, at most every 30 seconds.
    return jwt.PyJWKClient(metadata["jwks_uri"], timeout=5)


KEYS = keys_of(ISSUER)


class Denied(Exception):
    def __init__(self, status, error=None):
        super().__init__(error)
        self.status, self.error = status, error


def verify(token):
    """The claims of a good access token (RFC 9068 section 4)."""
    if len(token) > LONGEST_TOKEN:
        raise Denied(401, "invalid_token")
    try:
        verified = jwt.decode_complete(
            token,
            KEYS.get_signing_key_from_jwt(token),
            algorithms=["ES256", "RS256", "EdDSA"],
            issuer=ISSUER,
            audience=AUDIENCE,
            leeway=30,
            options={"require": ["exp", "iss", "aud", "sub", "client_id", "iat", "jti"]},
        )
    except jwt.PyJWKClientConnectionError as error:
        raise Denied(503) from error
    except (jwt.PyJWTError, ValueError) as error:
        raise Denied(401, "invalid_token") from error
    header, claims = verified["header"], verified["payload"]
    if str(header.get("typ")).lower() not in ("at+jwt", "application/at+jwt"):
        raise Denied(401, "invalid_token")
    # No extension is understood (RFC 7515 section 4.1.11), and a token that is bound to a key is no bearer token.
    if "crit" in header or "cnf" in claims:
        raise Denied(401, "invalid_token")
    return claims


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer({"/notes": ("read", "the notes of {sub}")})

    def do_POST(self):
        self.answer({"/notes": ("write", "a note by {sub}")})

    def answer(self, routes):
        self.close_connection = True
        if self.path.split("?")[0] not in routes:
            return self.send(404)
        scope, text = routes[self.path.split("?")[0]]
        try:
            claims = self.authorize(scope)
        except Denied as denied:
            return self.send(denied.status, denied.error, scope)
        self.send(200, body=text.format(sub=claims["sub"]))

    def authorize(self, scope):
        presented = self.headers.get_all("Authorization", [])
        if not presented:
            raise Denied(401)
        bearer = re.fullmatch(r"(?i:bearer) +([A-Za-z0-9\-._~+/]+=*)", presented[0])
        if len(presented) > 1 or not bearer:
            raise Denied(400, "invalid_request")
        claims = verify(bearer[1])
        if scope not in str(claims.get("scope", "")).split(" "):
            raise Denied(403, "insufficient_scope")
        return claims

    def send(self, status, error=None, scope=None, body=""):
        self.send_response(status)
        if status in (400, 401, 403):
            error = f', error="{error}"' if error else ""
            self.send_header("WWW-Authenticate", f'Bearer realm="{AUDIENCE}"{error}, scope="{scope}"')
        if status == 503:
            self.send_header("Retry-After", "5")
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())


if __name__ == "__main__":
    host, port = LISTEN.split(":")
    server = ThreadingHTTPServer((host, int(port)), Handler)
    print(f"listening on http://{LISTEN}", flush=True)
    server.serve_forever()
