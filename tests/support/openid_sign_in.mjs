// A real OpenID provider (npm: oidc-provider) on loopback at which people sign in:
// `node openid_sign_in.mjs PORT PEOPLE REDIRECT_URI SIGNED_OUT_URI`, from a folder that has the package.
// PEOPLE is a file that is read at each step: {"login": "ID", "people": {"ID": {claims}}}. Whoever is `login` signs in
// without a question; what a person typed is not what is tested here.
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';

const required = createRequire(pathToFileURL(`${process.cwd()}/`));
const { Provider } = await import(pathToFileURL(required.resolve('oidc-provider')));
const [port, file, redirectUri, signedOutUri] = process.argv.slice(2);
const people = () => JSON.parse(readFileSync(file, 'utf8'));
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{
    client_id: 'aegis', client_secret: 'for/this test alone', grant_types: ['authorization_code'], response_types: ['code'],
    redirect_uris: [redirectUri], post_logout_redirect_uris: [signedOutUri],
  }],
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256', kid: 'now' }] },
  cookies: { keys: ['for-this-test-alone'] },
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'], groups: ['groups'] },
  scopes: ['openid', 'email', 'profile', 'groups'],
  pkce: { required: () => true },
  features: { devInteractions: { enabled: false } },
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, ...people().people[id] }) }),
  loadExistingGrant: async (ctx) => {
    const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
    grant.addOIDCScope('openid email profile groups');
    await grant.save();
    return grant;
  },
});
provider.use(async (ctx, next) => {
  if (!ctx.path.startsWith('/interaction/')) return next();
  if (!ctx.path.endsWith('/done')) {
    // a page of its own, from which the browser comes back to us: a strict cookie is shown to no such navigation
    ctx.type = 'html';
    ctx.body = `<!doctype html><meta http-equiv="refresh" content="0;url=${ctx.path}/done">`;
    return undefined;
  }
  await provider.interactionFinished(ctx.req, ctx.res, { login: { accountId: people().login } });
  ctx.respond = false;
  return undefined;
});
provider.listen(Number(port), '127.0.0.1', () => console.log('listening'));
