import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { openRoute, startGateway, type GatewayUnderTest } from './gateway-under-test';
import { talk } from './raw-client';
import { RawOrigin } from './raw-origin';

interface WireCase {
  readonly name: string;
  /** Which door it is sent to; `plain` unless it says so. */
  readonly door?: string;
  readonly send: string | readonly string[];
  readonly client_sees: {
    readonly status: number;
    readonly code?: string;
    readonly close?: boolean;
    readonly answers?: number;
  };
  readonly origin_sees: readonly {
    readonly line: string;
    readonly body?: string;
    readonly fields?: Readonly<Record<string, string>>;
    readonly without?: readonly string[];
  }[];
}

const folder = join(__dirname, 'cases');
const groups = readdirSync(folder).map((file): [string, WireCase[]] => [
  file.replace('.yaml', ''),
  parse(readFileSync(join(folder, file), 'utf8')) as WireCase[],
]);

let gateway: GatewayUnderTest;
let origin: RawOrigin;

beforeAll(async () => {
  origin = new RawOrigin();
  const url = await origin.listen();
  const hasty = { headersMs: 400, requestMs: 800, checkMs: 50 };
  gateway = await startGateway({
    plain: { limits: hasty },
    lenient: { limits: { ...hasty, head: { underscoreNames: 'drop' } } },
    trusting: { limits: hasty, trustedProxies: ['127.0.0.0/8'] },
  });
  await gateway.publish(
    [
      openRoute('/open'),
      openRoute('/policed', { policies: [{ policy: 'body-limit', config: { maxBytes: 1_000 } }] }),
      openRoute('/merge', { limits: { mergeSlashes: true } }),
      openRoute('/keep', { limits: { encodedSlash: 'keep' } }),
      openRoute('/keep/secret'),
    ],
    url,
  );
});
afterAll(async () => {
  await gateway?.close();
  await origin?.close();
});
beforeEach(() => origin.reset());

describe.each(groups)('rel-T33 rel-T34 rel-T36 rel-T41 rel-T42 wire cases: %s', (_, cases) => {
  it.each(cases.map((one): [string, WireCase] => [one.name, one]))('%s', async (__, wire) => {
    const { answers, closed, text } = await talk(gateway.ports[wire.door ?? 'plain']!, wire.send);
    const { status, code, close, answers: count = 1 } = wire.client_sees;
    expect({ statuses: answers.map((answer) => answer.status), text }).toEqual({
      statuses: Array.from({ length: count }, () => status),
      text,
    });
    if (code !== undefined) expect(answers[0]!.code).toBe(code);
    // RFC 9110 §6.6.1
    for (const { fields } of answers) expect(Date.parse(fields.get('date') ?? '')).not.toBeNaN();
    if (close !== undefined) {
      expect(closed).toBe(close);
      if (close) expect(answers.at(-1)!.fields.get('connection')).toBe('close');
    }

    const whole = origin.requests.filter(({ complete }) => complete);
    expect(whole.map(({ line }) => line).sort()).toEqual(wire.origin_sees.map(({ line }) => line).sort());
    wire.origin_sees.forEach((expected) => {
      const request = whole.find(({ line }) => line === expected.line)!;
      expect(request.fault).toBeUndefined();
      expect(request.body).toBe(expected.body ?? '');
      const names = request.fields.map(([name]) => name.toLowerCase());
      const once = names.filter((name, at) => names.indexOf(name) === at || name === 'x-tag');
      expect(names).toEqual(once);
      for (const name of expected.without ?? []) expect(names).not.toContain(name);
      for (const [name, value] of Object.entries(expected.fields ?? {})) {
        expect(request.fields.find(([key]) => key.toLowerCase() === name)?.[1]).toBe(value);
      }
    });
  });
});
