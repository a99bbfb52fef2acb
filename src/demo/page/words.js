// What every name means, in a sentence, with the section that says so.

/** Parameters of requests. */
export const PARAMETERS = {
  response_type: "The app asks for a code, and gets tokens for it later, away from the address bar.",
  client_id: "Which app asks. It is no secret.",
  redirect_uri: "Where the browser comes back to: exactly as it is registered.",
  scope: "What the app wants to be allowed.",
  resource: "Which API the token is for (RFC 8707 §2). It becomes aud.",
  state: "Random. It comes back unchanged, so the app knows its own answer.",
  code_challenge: "SHA-256 of the code_verifier, which stays in this tab (PKCE).",
  code_challenge_method: "How the challenge was made. plain would protect nothing.",
  prompt: "login: ask for the password again. none: show no page at all (OpenID Connect Core §3.1.2.1).",
  code: "Good once, for a few minutes, for this app with its verifier.",
  iss: "Which server answers (RFC 9207 §2).",
  grant_type: "What the app brings in exchange for a token.",
  code_verifier: "What the challenge was the hash of: only the app that began can know it.",
  refresh_token: "What was given in the answer before.",
  token: "What is to end. With a refresh token, all that came of the same consent ends.",
  token_type_hint: "Saves the server a look in the wrong place.",
  error: "Why not.",
  error_description: "The same for people.",
};

/** Members of answers. */
export const MEMBERS = {
  access_token: "Goes with every call to the API. It is signed, so the API asks nobody.",
  token_type: "Bearer: whoever has it may use it (RFC 6750).",
  expires_in: "Seconds until the access token ends.",
  refresh_token: "Buys the next access token. It is for the token endpoint alone.",
  scope: "What was granted, which may be less than the app wanted.",
  error: "Which rule, in the words of the RFC.",
  error_description: "The same for people. It is constant: the true cause is in the server's log.",
  error_id: "Under this the log has the cause.",
  subject: "Whose notes: sub of the token.",
  notes: "What the API keeps, in memory alone.",
  note: "What was added.",
};

/** Headers of requests and answers. */
export const HEADERS = {
  "authorization": "The access token (RFC 6750 §2.1).",
  "content-type": "",
  "cache-control": "Nobody keeps a copy.",
  "www-authenticate": "What is missing, and where to get it (RFC 6750 §3, RFC 9728 §5.1).",
  "retry-after": "When to come back, in seconds.",
};

/** Members of the token's header (RFC 9068 §2.1, RFC 7515 §4.1). */
export const JOSE = {
  alg: "What it is signed with. A verifier compares it with what it expects, and never obeys it.",
  typ: "An access token. So nothing else that the server signs passes for one.",
  kid: "Which of the published keys.",
};

/** Claims (RFC 9068 §2.2). */
export const CLAIMS = {
  iss: "Who made it: the server, byte for byte.",
  sub: "The person who said yes.",
  aud: "Which API it is for. Any other must refuse it.",
  client_id: "The app that it was made for.",
  scope: "What it allows.",
  iat: "When it was made.",
  exp: "When it ends. No API has to ask.",
  auth_time: "When the person signed in.",
  jti: "Its name, for logs. No two are the same.",
};

/** Errors, and what they mean here. */
export const ERRORS = {
  access_denied: "You pressed “Do not allow”. The app learns that, and nothing else.",
  login_required: "Nobody is signed in, and prompt=none forbids to ask.",
  consent_required:
    "You are signed in, and prompt=none forbids to ask for consent. For an app on loopback it is never remembered: " +
    "another program could listen there and claim to be it (RFC 8252 §8.6).",
  interaction_required: "A page would have to be shown, and prompt=none forbids it.",
};
