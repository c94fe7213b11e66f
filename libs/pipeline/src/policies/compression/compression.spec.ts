import fc from 'fast-check';
import { promisify } from 'node:util';
import zlib from 'node:zlib';
import { policyInput, someRoute } from '@sallyport/testkit';
import { AnswerDraft } from '../../draft';
import type { BodyTransform } from '../../policy';
import { servicesWithoutMemory } from '../../policy-services';
import { chooseCoding } from './accept-encoding';
import { compression } from './compression';

function open(
  accept: string | undefined,
  fields: string[],
  config: object = { minBytes: 0, codings: ['br', 'gzip'] },
  { status = 200, method = 'GET', has }: { status?: number; method?: string; has?: string } = {},
) {
  const hooks = compression.compile(compression.config.parse(config), someRoute(), servicesWithoutMemory);
  const field = new Map<string, string>();
  if (accept !== undefined) field.set('accept-encoding', accept);
  if (has !== undefined) field.set('if-none-match', has);
  const input = policyInput({ method, field });
  const draft = new AnswerDraft('upstream', status, fields);
  hooks.answerHead!(input, draft);
  const sent: Buffer[] = [];
  const reader = { full: false, rooms: 0, ended: () => undefined as void };
  const done = new Promise<void>((resolve) => (reader.ended = resolve));
  const out = {
    data: (chunk: Buffer) => {
      sent.push(chunk);
      return !reader.full;
    },
    end: () => reader.ended(),
    room: () => void (reader.rooms += 1),
    refuse: () => undefined,
  };
  const { answerBody } = hooks;
  const transform: BodyTransform | undefined =
    answerBody?.mode === 'stream' && method !== 'HEAD' ? answerBody.open(input, draft, out) : undefined;
  return { transform, draft, sent, reader, done, input };
}

const TYPE = ['content-type', 'application/json; charset=utf-8'];

describe('the compression policy', () => {
  it.each([
    ['gzip', zlib.gunzipSync],
    ['br', zlib.brotliDecompressSync],
  ] as const)('packs with %s what can be unpacked again', async (coding, unpack) => {
    const text = JSON.stringify(Array.from({ length: 2000 }, (_, at) => ({ at })));
    const { transform, draft, sent, done } = open(coding, [
      ...TYPE,
      'content-length',
      String(text.length),
      'etag',
      '"1"',
      'accept-ranges',
      'bytes',
      'repr-digest',
      'sha-256=:x:',
      'content-digest',
      'sha-256=:x:',
    ]);
    for (let at = 0; at < text.length; at += 1000) transform!.data(Buffer.from(text.slice(at, at + 1000)));
    transform!.end();
    await done;
    expect(unpack(Buffer.concat(sent)).toString()).toBe(text);
    expect(draft.fields.raw).toEqual([...TYPE, 'vary', 'accept-encoding', 'content-encoding', coding, 'etag', 'W/"1"']);
  });

  it.each<[string, string | undefined, string[], object]>([
    ['nothing was asked for', undefined, TYPE, {}],
    ['it is packed already', 'gzip', [...TYPE, 'content-encoding', 'br'], {}],
    ['it must not be transformed', 'gzip', [...TYPE, 'cache-control', 'public, no-transform'], {}],
    ['it is a part', 'gzip', [...TYPE, 'content-range', 'bytes 0-1/2'], { status: 206 }],
    ['it is an image', 'gzip', ['content-type', 'image/png'], {}],
    ['it has no type', 'gzip', [], {}],
    ['it has no body', 'gzip', TYPE, { status: 204 }],
  ])('leaves an answer as it is when %s', (_, accept, fields, more) => {
    const { transform, draft } = open(accept, fields, undefined, more);
    expect([transform, draft.fields.get('content-encoding')]).toEqual([
      undefined,
      fields.includes('content-encoding') ? 'br' : undefined,
    ]);
  });

  it('leaves a short answer as it is, and says that another caller might get another one', () => {
    const { transform, draft } = open('gzip', [...TYPE, 'content-length', '99', 'vary', 'Origin'], { minBytes: 100 });
    expect([transform, draft.fields.get('vary')]).toEqual([undefined, 'Origin, accept-encoding']);
  });

  it('describes to HEAD what GET would get', () => {
    const { draft } = open('gzip', [...TYPE, 'content-length', '5000'], undefined, { method: 'HEAD' });
    expect([draft.fields.get('content-encoding'), draft.fields.has('content-length')]).toEqual(['gzip', false]);
  });

  it.each<[string, string | undefined, string[], string | undefined, string[]]>([
    ['one that was packed', 'gzip', [], 'W/"1"', ['vary', 'accept-encoding', 'etag', 'W/"1"']],
    ['one of which it has the unpacked bytes', 'gzip', [], '"0", "1"', ['etag', '"1"', 'vary', 'accept-encoding']],
    ['one of a meant type', 'gzip', TYPE, '"1"', [...TYPE, 'vary', 'accept-encoding', 'etag', 'W/"1"']],
    ['one that it has by its date', 'gzip', [], undefined, ['vary', 'accept-encoding', 'etag', 'W/"1"']],
    ['one it would get unpacked', undefined, [], '"1"', ['etag', '"1"', 'vary', 'accept-encoding']],
    ['an image', 'gzip', ['content-type', 'image/png'], '"1"', ['content-type', 'image/png', 'etag', '"1"']],
    [
      'one that was packed elsewhere',
      'gzip',
      ['content-encoding', 'br'],
      '"1"',
      ['content-encoding', 'br', 'etag', '"1"'],
    ],
  ])(
    'says in a 304 what the answer would that it speaks of, to a caller who has %s',
    (_, accept, fields, has, said) => {
      const { draft } = open(accept, [...fields, 'etag', '"1"'], undefined, { status: 304, ...(has && { has }) });
      expect(draft.fields.raw).toEqual(said);
    },
  );

  it('does not hold an event back until the next one', async () => {
    const { transform, sent } = open('gzip', ['content-type', 'text/event-stream']);
    transform!.data(Buffer.from('data: 1\n\n'));
    const arrived = () => zlib.gunzipSync(Buffer.concat(sent), { finishFlush: zlib.constants.Z_SYNC_FLUSH }).toString();
    while (sent.length === 0 || arrived() === '') await new Promise(setImmediate);
    expect(arrived()).toBe('data: 1\n\n');
    transform!.close!();
  });

  it('packs no faster than the reader takes it, and loses nothing', async () => {
    const { transform, sent, reader, done } = open('gzip', TYPE);
    reader.full = true;
    const noise = Buffer.from(Array.from({ length: 400_000 }, (_, at) => (at * 7919 + (at >> 3) * 104729) % 251));
    let wanted = true;
    let given = 0;
    while (wanted && given < 50) {
      wanted = transform!.data(noise);
      given += 1;
    }
    expect(wanted).toBe(false);
    while (sent.length === 0) await new Promise(setImmediate);
    // As long as it takes to pack a whole piece of what waits.
    await promisify(zlib.gzip)(noise);
    expect(sent).toHaveLength(1);
    reader.full = false;
    transform!.resume!();
    transform!.end();
    await done;
    expect(zlib.gunzipSync(Buffer.concat(sent)).equals(Buffer.concat(Array.from({ length: given }, () => noise)))).toBe(
      true,
    );
  });

  it('ends its packer when the exchange ends first', () => {
    const { transform, sent } = open('gzip', TYPE);
    transform!.data(Buffer.from('x'));
    transform!.close!();
    expect(sent).toEqual([]);
  });
});

describe('what a caller takes', () => {
  it.each<[string | undefined, string | undefined]>([
    [undefined, undefined],
    ['', undefined],
    ['gzip', 'gzip'],
    ['gzip, br', 'br'],
    ['gzip;q=1, br;q=0.9', 'gzip'],
    ['br;q=0, *', 'gzip'],
    ['*;q=0', undefined],
    ['identity', undefined],
    ['identity;q=1, gzip;q=0.5', undefined],
    ['identity;q=0.5, gzip;q=0.5', 'gzip'],
    ['GZIP ; Q=0.8', 'gzip'],
    ['gzip;q=2', undefined],
    ['gzip;level=9', undefined],
    ['deflate, compress', undefined],
  ])('%s: %s', (accept, coding) => expect(chooseCoding(accept, ['br', 'gzip'])).toBe(coding));

  it('property: a coding is never chosen that was forbidden, or not offered', () => {
    const member = fc.tuple(
      fc.constantFrom('gzip', 'br', 'zstd', '*', 'identity', 'x'),
      fc.constantFrom('', ';q=0', ';q=0.5', ';q=1'),
    );
    fc.assert(
      fc.property(fc.array(member, { maxLength: 6 }), (members) => {
        const first = new Map([...members].reverse().map(([name, quality]) => [name, quality]));
        const coding = chooseCoding(members.map((parts) => parts.join('')).join(','), ['br', 'gzip']);
        if (coding === undefined) return;
        expect(['br', 'gzip']).toContain(coding);
        expect(first.get(coding) ?? first.get('*')).not.toBe(';q=0');
        expect(first.has(coding) || first.has('*')).toBe(true);
      }),
    );
  });
});
