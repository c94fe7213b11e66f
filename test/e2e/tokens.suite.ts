import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey } from 'jose';
import { startOrders } from '../../examples/orders/server.mjs';
import { expectStatus, type Answer } from './calls';
import { patientWaf, type Product } from './product';
import { PATIENCE_MS, until } from './waiting';

const AUDIENCE = 'https://api.example/parcels';
const ISSUER = 'https://id.example';

/** Tokens of an identity provider that the operator trusts: a real key set behind a real URL. */
export function describeTokens(product: () => Product): void {
  let orders: Awaited<ReturnType<typeof startOrders>>;
  let provider: Server;
  let key: CryptoKey;
  let stranger: CryptoKey;

  beforeAll(async () => {
    orders = await startOrders({ port: 0 });
    const pair = await generateKeyPair('ES256');
    key = pair.privateKey;
    stranger = (await generateKeyPair('ES256')).privateKey;
    const jwks = JSON.stringify({
      keys: [{ ...(await exportJWK(pair.publicKey)), kid: 'k1', alg: 'ES256', use: 'sig' }],
    });
    provider = createServer((_, response) => response.setHeader('content-type', 'application/json').end(jwks));
    await new Promise<void>((resolve) => provider.listen(0, '127.0.0.1', resolve));
    const { port } = provider.address() as AddressInfo;
    await product().publish({
      trust: [
        {
          name: 'corporate',
          issuer: ISSUER,
          audiences: [AUDIENCE],
          algorithms: ['ES256'],
          jwksUrl: `http://127.0.0.1:${port}/jwks`,
          allowPrivate: true,
        },
      ],
      services: [
        {
          name: 'parcels',
          version: 'v1',
          path: '/parcels',
          upstream: { targets: [{ url: orders.url }], allowPrivate: true },
          stripPrefix: true,
          auth: { trust: ['corporate'], scopes: ['parcels:read'] },
          policies: [patientWaf],
        },
      ],
    });
  });
  afterAll(async () => {
    await orders?.close();
    provider?.closeAllConnections();
    provider?.close();
  });

  const token = (changes: { readonly [claim: string]: unknown } = {}, signer = key): Promise<string> => {
    const now = Math.floor(Date.now() / 1000);
    const claims = {
      client_id: 'warehouse',
      scope: 'parcels:read',
      iat: now,
      exp: now + 120,
      jti: crypto.randomUUID(),
    };
    return new SignJWT({ ...claims, iss: ISSUER, aud: AUDIENCE, sub: 'forklift-7', ...changes })
      .setProtectedHeader({ alg: 'ES256', kid: 'k1', typ: 'at+jwt' })
      .sign(signer);
  };
  const present = async (value: string): Promise<Answer> => product().get('/parcels/orders', value);
  const codeOf = (answer: Answer) => answer.json<{ code: string }>().code;

  it(
    'opens a route to a token of the issuer it trusts, and has its client on record',
    async () => {
      const value = await token();
      // The key set is fetched in the background: the first request may come before it.
      const answer = await until('the key set is known', async () => {
        const tried = await present(value);
        return tried.status === 200 ? tried : undefined;
      });
      const record = await product().recordOf(answer.headers['x-sallyport-request-id']!);
      expect(record.unmapped.sallyport).toMatchObject({
        credential: { kind: 'jwt' },
        service: 'parcels',
        outcome: 'ok',
      });
    },
    PATIENCE_MS,
  );

  it('tells an expired token from one that is not accepted, and says no more', async () => {
    const now = Math.floor(Date.now() / 1000);
    const expired = expectStatus(await present(await token({ iat: now - 600, exp: now - 300 })), 401);
    expect(codeOf(expired)).toBe('AUTH_TOKEN_EXPIRED');
    const refused = [
      await present(await token({ aud: 'https://api.example/other' })),
      await present(await token({ iss: 'https://id.example/' })),
      await present(await token({}, stranger)),
    ];
    expect(refused.map((answer) => [answer.status, codeOf(answer)])).toEqual(
      refused.map(() => [401, 'AUTH_TOKEN_INVALID']),
    );
    expect(new Set(refused.map((answer) => answer.json<{ detail: string }>().detail)).size).toBe(1);
  });

  it('refuses a token without the scope that the route demands', async () => {
    const answer = expectStatus(await present(await token({ scope: 'parcels:list' })), 403);
    expect(codeOf(answer)).toBe('AUTH_SCOPE_MISSING');
  });
}
