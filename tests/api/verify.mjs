import { createRemoteJWKSet, jwtVerify } from "jose";

const { TOKEN, JWKS_URL, ISSUER, AUDIENCE } = process.env;
const keys = createRemoteJWKSet(new URL(JWKS_URL)); // fetched once, then kept
const { payload } = await jwtVerify(TOKEN, keys, {
  issuer: ISSUER,
  audience: AUDIENCE,
  typ: "at+jwt",
  algorithms: ["ES256", "RS256", "EdDSA"],
});
console.log(payload.sub);
