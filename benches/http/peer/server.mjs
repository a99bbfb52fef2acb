// oidc-provider at its best: production mode, everything in memory, access tokens as JWTs for one API, and no feature that
// the benchmark does not ask for. ALG: what signs; PORT: where it listens.
//
// `GET /refresh-token` makes a grant and its refresh token by the provider's own models, in place of a browser.
import { generateKeyPairSync, randomBytes } from "node:crypto";
import Provider from "oidc-provider";

const algorithm = process.env.ALG;
const port = Number(process.env.PORT);
const secret = process.env.SECRET;
const api = "https://api.example.com/v1";

const kinds = {
  ES256: ["ec", { namedCurve: "P-256" }],
  EdDSA: ["ed25519", {}],
  RS256: ["rsa", { modulusLength: 2048 }],
};
const key = (alg) => ({ ...generateKeyPairSync(...kinds[alg]).privateKey.export({ format: "jwk" }), alg, kid: alg, use: "sig" });
// Its id tokens want RS256 to be there, whatever signs the rest.
const keys = [...new Set([algorithm, "RS256"])].map(key);

// The store that comes with it keeps the last thousand things, and a run refreshes more often: this one keeps all.
const kept = new Map();
class Memory {
  constructor(model) {
    this.key = (id) => `${model}:${id}`;
  }
  async upsert(id, payload) {
    kept.set(this.key(id), payload);
  }
  async find(id) {
    return kept.get(this.key(id));
  }
  async findByUid() {}
  async findByUserCode() {}
  async consume(id) {
    const payload = kept.get(this.key(id));
    if (payload) payload.consumed = Math.floor(Date.now() / 1000);
  }
  async destroy(id) {
    kept.delete(this.key(id));
  }
  async revokeByGrantId() {}
}

const provider = new Provider(`http://127.0.0.1:${port}`, {
  adapter: Memory,
  jwks: { keys },
  cookies: { keys: [randomBytes(16).toString("hex")] },
  scopes: ["openid", "offline_access", "read", "write"],
  clients: [
    {
      client_id: "machine",
      client_secret: secret,
      grant_types: ["client_credentials"],
      redirect_uris: [],
      response_types: [],
    },
    {
      client_id: "app",
      client_secret: secret,
      token_endpoint_auth_method: "client_secret_post",
      grant_types: ["authorization_code", "refresh_token"],
      redirect_uris: ["https://client.example.com/callback"],
      response_types: ["code"],
      id_token_signed_response_alg: algorithm,
      scope: "openid offline_access read",
    },
  ],
  findAccount: (_ctx, accountId) => ({ accountId, claims: () => ({ sub: accountId }) }),
  issueRefreshToken: () => true,
  rotateRefreshToken: true,
  ttl: { AccessToken: 3600, ClientCredentials: 3600, Grant: 86400, IdToken: 3600, RefreshToken: 86400 },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => api,
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({
        accessTokenFormat: "jwt",
        accessTokenTTL: 3600,
        audience: api,
        jwt: { sign: { alg: algorithm } },
        scope: "read write",
      }),
    },
  },
});

provider.use(async (ctx, next) => {
  if (ctx.path !== "/refresh-token") return next();
  const client = await provider.Client.find("app");
  const grant = new provider.Grant({ accountId: "alice", clientId: "app" });
  grant.addOIDCScope("offline_access");
  grant.addResourceScope(api, "read");
  const grantId = await grant.save();
  const now = Math.floor(Date.now() / 1000);
  const token = new provider.RefreshToken({
    accountId: "alice",
    authTime: now,
    claims: {},
    client,
    grantId,
    gty: "authorization_code",
    iiat: now,
    resource: api,
    rotations: 0,
    // Without openid, so that it makes one signature a refresh and no id token.
    scope: "offline_access read",
  });
  ctx.body = await token.save();
});

provider.listen(port, "127.0.0.1");
