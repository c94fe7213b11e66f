import { generateKeyPair, exportJWK, CompactSign, type CryptoKey, type JWK } from 'jose';
import type { ApiKeyRecord, Clock, TrustEntry } from '@sallyport/contracts';
import { mintApiKey, type MintedKey, type Pepper } from './api-key';
import type { Presented } from './verifier';

/** A moment for tests, and the seconds of it. */
export const TEST_NOW = Date.UTC(2030, 0, 1);
export const TEST_NOW_SECONDS = TEST_NOW / 1000;

/** A clock that stands until it is moved. */
export class TestClock implements Clock {
  constructor(private time = TEST_NOW) {}

  now(): number {
    return this.time;
  }

  monotonic(): number {
    return this.time;
  }

  advance(milliseconds: number): void {
    this.time += milliseconds;
  }
}

/** An issuer with one real key, that signs whatever it is told to. */
export class TestIssuer {
  private constructor(
    readonly name: string,
    readonly algorithm: TrustEntry['algorithms'][number],
    readonly privateKey: CryptoKey,
    readonly publicJwk: JWK,
  ) {}

  static async create(name: string, algorithm: TrustEntry['algorithms'][number] = 'ES256'): Promise<TestIssuer> {
    const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true });
    const jwk = await exportJWK(publicKey);
    return new TestIssuer(name, algorithm, privateKey, { ...jwk, kid: `${name}-key`, alg: algorithm, use: 'sig' });
  }

  get url(): string {
    return `https://${this.name}.example`;
  }

  get audience(): string {
    return 'https://api.example/orders';
  }

  jwks(): NonNullable<TrustEntry['jwks']> {
    return { keys: [this.publicJwk] };
  }

  trustEntry(changes: Partial<TrustEntry> = {}): TrustEntry {
    return {
      tenant: 'acme',
      name: this.name,
      issuer: this.url,
      audiences: [this.audience],
      algorithms: [this.algorithm],
      typ: 'at+jwt',
      jwks: this.jwks(),
      jwksUrl: null,
      allowPrivate: false,
      ...changes,
    };
  }

  /** Claims of a good access token; undefined takes one out. */
  claims(changes: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
    return {
      iss: this.url,
      aud: this.audience,
      sub: 'ada',
      client_id: 'shop',
      jti: 'token-1',
      iat: TEST_NOW_SECONDS,
      exp: TEST_NOW_SECONDS + 300,
      scope: 'orders:read orders:write',
      ...changes,
    };
  }

  header(changes: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
    return { alg: this.algorithm, kid: this.publicJwk.kid, typ: 'at+jwt', ...changes };
  }

  token(
    claims: Readonly<Record<string, unknown>> = {},
    header: Readonly<Record<string, unknown>> = {},
  ): Promise<string> {
    return this.signText(JSON.stringify(this.claims(claims)), this.header(header));
  }

  /** Signs any text as payload, good JSON or not. */
  signText(payload: string, header: Record<string, unknown> = this.header()): Promise<string> {
    return new CompactSign(Buffer.from(payload)).setProtectedHeader(header as { alg: string }).sign(this.privateKey);
  }
}

/** Mints a key and the record auth would distribute for it. */
export function testKey(
  pepper: Pepper,
  random: (count: number) => Uint8Array,
  changes: Partial<ApiKeyRecord> = {},
): MintedKey & { readonly record: ApiKeyRecord } {
  const minted = mintApiKey('live', random);
  const record: ApiKeyRecord = {
    kid: minted.kid,
    mac: pepper.macText(minted.text),
    pepperVersion: pepper.version,
    tenant: 'acme',
    name: 'shop-key',
    consumer: 'shop',
    scopes: ['orders:read'],
    services: ['*'],
    models: ['*'],
    cidrs: [],
    rate: { limit: 60, windowSeconds: 60 },
    budgetUsdPerMonth: '5',
    expiresAt: new Date(TEST_NOW + 90 * 86_400_000).toISOString(),
    status: 'active',
    ...changes,
  };
  return { ...minted, record };
}

/** What a good caller of `orders` presents with a request, but for the credential. */
export function presentedAt(path: string): Presented {
  return {
    kind: 'bearer',
    value: '',
    method: 'GET',
    url: `https://api.example${path}`,
    resource: '',
    trust: [],
    tenant: 'acme',
    class: 'public',
    service: 'orders',
    clientAddress: '192.0.2.7',
  };
}
