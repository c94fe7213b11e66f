import fc from 'fast-check';
import { isRefusal } from '@sallyport/contracts';
import { canonicalRequest, limits, type CanonicalRequest } from '@sallyport/proxy';
import { policyExchange, somePrincipal, someRoute } from '@sallyport/testkit';
import { chargesOf, compileRoute } from '../compile';
import { AnswerDraft, RequestDraft } from '../draft';

const APP = 'https://app.example.com';

/** A route whose policies look at everything a request has. */
const compiled = compileRoute(
  someRoute({
    policies: [
      { policy: 'request-size', config: { fields: 12, queryParameters: 3, bodyBytes: 1000 } },
      { policy: 'ip-allow-deny', config: { allow: ['192.0.2.0/24', '2001:db8::/32'], deny: ['192.0.2.66'] } },
      { policy: 'cors', config: { origins: [APP], headers: ['x-a', 'x-b'] } },
      { policy: 'body-limit', config: { maxBytes: 500 } },
      {
        policy: 'rate-limit',
        config: { limits: [{ limit: 5, window: '1s', by: ['address', { header: 'x-team' }] }] },
      },
      {
        policy: 'header-rewrite',
        config: { path: '/{id}', request: { set: { 'x-id': '{param.id}', 'x-asked': '{path}' } } },
      },
      { policy: 'path-rewrite', config: { rules: [{ template: '/orders/{id}', to: '/o/{id}' }] } },
    ],
  }),
);

interface Meant {
  readonly method: string;
  readonly segment: string;
  readonly query: string;
  readonly fields: readonly (readonly [string, string])[];
  readonly address: string;
  readonly length: number;
}

const meant: fc.Arbitrary<Meant> = fc.record({
  method: fc.constantFrom('GET', 'POST', 'OPTIONS'),
  segment: fc.constantFrom('a', '7', 'caf%C3%A9', 'a~b', 'a.b', 'x-y_z'),
  query: fc.constantFrom('', 'a=1', 'a&b&c', 'a&b&c&d'),
  fields: fc.array(
    fc.constantFrom(
      ['origin', APP] as const,
      ['origin', 'null'] as const,
      ['access-control-request-method', 'POST'] as const,
      ['access-control-request-headers', 'x-a,x-b'] as const,
      ['access-control-request-headers', 'x-a,x-c'] as const,
      ['x-team', 'red'] as const,
      ['x-team', 'red,blue'] as const,
    ),
    { maxLength: 4 },
  ),
  address: fc.constantFrom('192.0.2.1', '192.0.2.66', '198.51.100.1', '2001:db8::1'),
  length: fc.constantFrom(0, 10, 501, 2000),
});

/** How one and the same request can be written. */
interface Spelling {
  readonly capitals: boolean;
  readonly escapes: boolean;
  readonly lowerHex: boolean;
  readonly splitLists: boolean;
  readonly mapped: boolean;
  readonly absolute: boolean;
}

const plain: Spelling = {
  capitals: false,
  escapes: false,
  lowerHex: false,
  splitLists: false,
  mapped: false,
  absolute: false,
};
const spelling: fc.Arbitrary<Spelling> = fc.record({
  capitals: fc.boolean(),
  escapes: fc.boolean(),
  lowerHex: fc.boolean(),
  splitLists: fc.boolean(),
  mapped: fc.boolean(),
  absolute: fc.boolean(),
});

function spelled(request: Meant, how: Spelling): CanonicalRequest | undefined {
  const lower = how.lowerHex ? request.segment.replace(/%[0-9A-F]{2}/g, (byte) => byte.toLowerCase()) : request.segment;
  const segment = how.escapes
    ? lower.replace(/(?<!%|%[0-9A-Fa-f])[a-z7~._-]/g, (letter) => `%${letter.charCodeAt(0).toString(16)}`)
    : lower;
  const target = `/orders/${segment}${request.query === '' ? '' : `?${request.query}`}`;
  const fields: string[] = ['Host', 'gateway.example'];
  for (const [name, value] of request.fields) {
    const written = how.capitals ? name.toUpperCase() : name;
    const values = how.splitLists && name !== 'origin' ? value.split(',') : [value];
    for (const one of values) fields.push(written, one);
  }
  if (request.length > 0) fields.push(how.capitals ? 'CONTENT-LENGTH' : 'content-length', String(request.length));
  const v6 = request.address.includes(':');
  const mapped = how.mapped && !v6 ? `::ffff:${request.address}` : request.address;
  const read = canonicalRequest(
    {
      method: request.method,
      target: how.absolute ? `http://gateway.example${target}` : target,
      rawHeaders: fields,
      httpVersion: '1.1',
      remoteAddress: how.mapped && v6 ? '2001:DB8:0:0:0:0:0:1' : mapped,
      encrypted: false,
    },
    limits.head,
  );
  return isRefusal(read) ? undefined : read;
}

/** Everything the policies decide and make of a request. */
function judged(request: CanonicalRequest): unknown {
  const exchange = policyExchange({ route: compiled.route, matched: '/orders'.length, principal: somePrincipal() });
  const input = { request, exchange };
  const verdicts = compiled.admit.map(({ run }) => run(input));
  const charges = chargesOf(compiled, [], input).map(({ key }) => key);
  const draft = new RequestDraft(request, request.path);
  const shaped = compiled.shape.map(({ run }) => run(input, draft));
  const answer = new AnswerDraft('upstream', 200, []);
  for (const { run } of compiled.answerHead) run(input, answer);
  const added = ['x-id', 'x-asked'].map((name) => draft.fields.get(name));
  return { verdicts, charges, shaped, path: draft.path, added, answer: answer.fields.raw, caps: exchange.caps };
}

describe('policies', () => {
  it('judge a request and not its spelling: whatever reaches the route the same way gets the same verdict', () => {
    let compared = 0;
    fc.assert(
      fc.property(meant, spelling, (request, how) => {
        const one = spelled(request, plain);
        const other = spelled(request, how);
        if (!one || !other) return expect(other === undefined).toBe(one === undefined);
        // A list in several fields has more fields, which is what `fields` of request-size counts.
        if (how.splitLists && one.fields.length !== other.fields.length) {
          fc.pre(one.fields.length <= 12 && other.fields.length <= 12);
        }
        expect(judged(other)).toEqual(judged(one));
        compared++;
      }),
      { numRuns: 4000 },
    );
    expect(compared).toBeGreaterThan(1000);
  });
});
