// An API with notes: everybody's token must be for it, reading needs the scope `read`, writing `write`.
//
//   npm install
//   ISSUER=http://127.0.0.1:8080 AUDIENCE=http://127.0.0.1:3000 LISTEN=127.0.0.1:3000 npm start
import { createServer } from 'node:http'
import { createRemoteJWKSet, errors, jwtVerify } from 'jose'

const { ISSUER, AUDIENCE, LISTEN } = process.env
const LONGEST_TOKEN = 16 * 1024

// RFC 8414 §3: the keys are where the issuer's metadata says, if they are the metadata of this issuer (§3.3).
const issuer = new URL(ISSUER)
const path = issuer.pathname.replace(/\/$/, '')
const answer = await fetch(`${issuer.origin}/.well-known/oauth-authorization-server${path}`, {
  redirect: 'error',
  signal: AbortSignal.timeout(5000),
})
const metadata = await answer.json()
if (metadata.issuer !== ISSUER) throw new Error(`these are the metadata of ${metadata.issuer}`)
// Fetched when they are needed, kept for ten minutes, and again for an unknown `kid`, at most every 30 seconds.
const keys = createRemoteJWKSet(new URL(metadata.jwks_uri))

const REFUSED = [
  errors.JOSEAlgNotAllowed,
  errors.JOSENotSupported,
  errors.JWKSMultipleMatchingKeys,
  errors.JWKSNoMatchingKey,
  errors.JWSInvalid,
  errors.JWSSignatureVerificationFailed,
  errors.JWTClaimValidationFailed,
  errors.JWTExpired,
  errors.JWTInvalid,
]

class Denied extends Error {
  constructor(status, error, scope) {
    super(error)
    Object.assign(this, { status, error, scope })
  }
}

/** The claims of a token that has `scope`, or a `Denied` (RFC 6750 §3.1). */
async function authorize(request, scope) {
  const presented = request.headersDistinct.authorization ?? []
  if (presented.length === 0) throw new Denied(401, undefined, scope)
  const [, token] = /^Bearer +([\w.~+/-]+=*)$/i.exec(presented[0]) ?? []
  if (presented.length > 1 || !token) throw new Denied(400, 'invalid_request', scope)
  if (token.length > LONGEST_TOKEN) throw new Denied(401, 'invalid_token', scope)
  let payload
  try {
    const verified = await jwtVerify(token, keys, {
      issuer: ISSUER,
      audience: AUDIENCE,
      typ: 'at+jwt',
      algorithms: ['ES256', 'RS256', 'EdDSA'],
      requiredClaims: ['exp', 'sub', 'client_id', 'iat', 'jti'],
      clockTolerance: 30,
    })
    payload = verified.payload
  } catch (error) {
    if (REFUSED.some((refused) => error instanceof refused)) throw new Denied(401, 'invalid_token', scope)
    console.error(error)
    throw new Denied(503, undefined, scope)
  }
  // A token that is bound to a key is no bearer token (RFC 7800 §3.1).
  if (payload.cnf !== undefined) throw new Denied(401, 'invalid_token', scope)
  if (!String(payload.scope ?? '').split(' ').includes(scope)) throw new Denied(403, 'insufficient_scope', scope)
  return payload
}

const routes = {
  'GET /notes': ['read', (token) => `the notes of ${token.sub}`],
  'POST /notes': ['write', (token) => `a note by ${token.sub}`],
}

const server = createServer(async (request, response) => {
  const [scope, handler] = routes[`${request.method} ${request.url.split('?')[0]}`] ?? []
  if (!handler) return response.writeHead(404).end()
  try {
    response.end(handler(await authorize(request, scope)))
  } catch (denied) {
    const status = denied instanceof Denied ? denied.status : 500
    response.statusCode = status
    if (status === 503) response.setHeader('Retry-After', '5')
    if (status < 500) {
      const error = denied.error ? `, error="${denied.error}"` : ''
      response.setHeader('WWW-Authenticate', `Bearer realm="${AUDIENCE}"${error}, scope="${denied.scope}"`)
    }
    response.end()
  }
})

const [host, port] = LISTEN.split(':')
server.listen(Number(port), host, () => console.log(`listening on http://${LISTEN}`))
