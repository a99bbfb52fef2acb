import os
import jwt

token = os.environ["TOKEN"]
keys = jwt.PyJWKClient(os.environ["JWKS_URL"])  # fetched once, then kept
if jwt.get_unverified_header(token).get("typ") != "at+jwt":
    raise SystemExit("not an access token")
claims = jwt.decode(
    token,
    keys.get_signing_key_from_jwt(token),
    algorithms=["ES256", "RS256", "EdDSA"],
    issuer=os.environ["ISSUER"],
    audience=os.environ["AUDIENCE"],
    options={"require": ["exp", "iss", "aud", "sub"]},
)
print(claims["sub"])
