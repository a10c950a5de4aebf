// A certified OpenID provider on loopback, for the tests of signing in.
//
// It prints its issuer when it listens. POST /twist changes what its token endpoint says from then on:
// {"claims": {...}} replaces claims of the ID token (null leaves one out), "after": {...} sets times to so
// many seconds from now, "key": "other" signs with a key that nobody knows, "alg": "none" does not sign. POST /rotate lets a new key sign.
import { createServer } from 'node:http';
import * as jose from 'jose';
import { Provider } from 'oidc-provider';

const redirect = process.argv[2];
const people = {
  ann: { email: 'ann@example.com', email_verified: true, name: 'Ann', territories: ['EU'], team: 'north' },
  bob: { email: 'bob@example.com', email_verified: false, name: 'Bob' },
};

async function key(kid) {
  const { privateKey } = await jose.generateKeyPair('RS256', { extractable: true });
  return { ...(await jose.exportJWK(privateKey)), kid, alg: 'RS256', use: 'sig' };
}

const keys = [await key('first')];
const other = await key('first');
let twist = {};
let provider;
let serial = 1;

function made(issuer) {
  const found = new Provider(issuer, {
    clients: [{ client_id: 'retinue', client_secret: 'a secret: of + the %tests', redirect_uris: [redirect] }],
    jwks: { keys },
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name', 'territories', 'team'] },
    pkce: { required: () => true },
    cookies: { keys: ['tests'] },
    ttl: { AccessToken: 600, AuthorizationCode: 60, Grant: 600, IdToken: 600, Interaction: 600, Session: 600 },
    findAccount: (_, id) => ({
      accountId: id,
      claims: () => ({ sub: id, ...(people[id] ?? { email: `${id}@example.com`, email_verified: true, name: id }) }),
    }),
  });
  found.use(async (ctx, next) => {
    await next();
    if (ctx.path !== '/token' || !ctx.body?.id_token || Object.keys(twist).length === 0) return;
    const claims = { ...jose.decodeJwt(ctx.body.id_token), ...twist.claims };
    for (const [name, seconds] of Object.entries(twist.after ?? {})) {
      claims[name] = Math.floor(Date.now() / 1000) + seconds;
    }
    for (const [name, value] of Object.entries(claims)) if (value === null) delete claims[name];
    if (twist.alg === 'none') {
      ctx.body.id_token = new jose.UnsecuredJWT(claims).encode();
      return;
    }
    const secret = await jose.importJWK(twist.key === 'other' ? other : keys[0], 'RS256');
    ctx.body.id_token = await new jose.SignJWT(claims)
      .setProtectedHeader({ alg: 'RS256', kid: keys[0].kid })
      .sign(secret);
  });
  return found.callback();
}

async function read(request) {
  let body = '';
  for await (const chunk of request) body += chunk;
  return body;
}

const server = createServer(async (request, response) => {
  if (request.url === '/twist') {
    twist = JSON.parse(await read(request));
    response.end();
  } else if (request.url === '/rotate') {
    serial += 1;
    keys.splice(0, 1, await key(`key ${serial}`));
    provider = made(`http://127.0.0.1:${server.address().port}`);
    response.end();
  } else {
    provider(request, response);
  }
});
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  provider = made(issuer);
  console.log(issuer);
});
// Whoever started it is gone when its input ends.
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
