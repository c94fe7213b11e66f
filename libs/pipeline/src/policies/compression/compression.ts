import zlib from 'node:zlib';
import { z } from 'zod';
import { refuse } from '@sallyport/contracts';
import type { AnswerDraft } from '../../draft';
import { definePolicy, pass, type BodyOut, type BodyTransform, type PolicyInput } from '../../policy';
import { chooseCoding, type Coding } from './accept-encoding';

type Packer = zlib.Gzip | zlib.BrotliCompress;

const PIECE_BYTES = 16 * 1024;

/** Levels at which packing costs less time than it saves on the wire. */
const packers: ReadonlyMap<Coding, () => Packer> = new Map<Coding, () => Packer>([
  ...zstdPacker(),
  [
    'br',
    () =>
      zlib.createBrotliCompress({
        chunkSize: PIECE_BYTES,
        params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 4, [zlib.constants.BROTLI_PARAM_LGWIN]: 18 },
      }),
  ],
  ['gzip', () => zlib.createGzip({ level: 5, chunkSize: PIECE_BYTES })],
]);

/** Node has it from 22.15 on. */
function zstdPacker(): [Coding, () => Packer][] {
  const { createZstdCompress } = zlib as { createZstdCompress?: (options: zlib.ZlibOptions) => Packer };
  return createZstdCompress ? [['zstd', () => createZstdCompress({ chunkSize: PIECE_BYTES })]] : [];
}

const mediaRange = z
  .string()
  .regex(/^[a-z0-9!#$&^_.+-]+\/(\*|[a-z0-9!#$&^_.+-]+)$/, 'write a media type such as application/json or text/*');

const config = z.strictObject({
  /** Codings to offer, the preferred one first; one that this version of Node does not know is left out. */
  codings: z
    .array(z.enum(['zstd', 'br', 'gzip']))
    .min(1)
    .max(3)
    .default(['zstd', 'br', 'gzip']),
  /** A shorter answer of known length goes out as it is. */
  minBytes: z
    .int()
    .min(0)
    .max(1024 * 1024)
    .default(1024),
  types: z
    .array(mediaRange)
    .min(1)
    .max(64)
    .default([
      'text/*',
      'application/json',
      'application/problem+json',
      'application/xml',
      'application/javascript',
      'image/svg+xml',
    ]),
});

export const compression = definePolicy({
  id: 'compression',
  summary: 'Packs answers with zstd, br or gzip, as the caller takes them.',
  config,
  example: { codings: ['br', 'gzip'], minBytes: 1024 },
  compile: ({ codings, minBytes, types }) => {
    const offered = codings.filter((coding) => packers.has(coding));
    const isMeant = isOneOf(types);
    const owner = {};
    const choose = (input: PolicyInput, draft: AnswerDraft): Coding | undefined => {
      if (!mayBePacked(draft, isMeant)) return undefined;
      // The answer depends on what the caller takes, whether this one is packed or not (RFC 9110 §12.5.5).
      vary(draft);
      const length = draft.fields.get('content-length');
      if (length !== undefined && Number(length) < minBytes) return undefined;
      return chooseCoding(input.request.field.get('accept-encoding'), offered);
    };
    return {
      answerHead: (input, draft) => {
        if (draft.origin === 'refusal') return pass;
        const coding = choose(input, draft);
        if (!coding) return pass;
        if (draft.status === 304) weakenTag(input, draft);
        else if (input.request.method === 'HEAD') describe(draft, coding);
        else input.exchange.keep(owner, coding);
        return pass;
      },
      answerBody: {
        mode: 'stream',
        open: ({ exchange }, draft, out) => {
          const coding = exchange.kept(owner) as Coding | undefined;
          // A policy behind this one may have packed or replaced the answer meanwhile.
          if (!coding || !mayBePacked(draft, isMeant)) return undefined;
          describe(draft, coding);
          const isStream = essenceOf(draft) === 'text/event-stream';
          return new Packing(packers.get(coding)!(), isStream, out, (run) => exchange.guarded(run));
        },
      },
    };
  },
});

function isOneOf(ranges: readonly string[]): (essence: string) => boolean {
  const exact = new Set(ranges);
  const prefixes = ranges.filter((range) => range.endsWith('/*')).map((range) => range.slice(0, -1));
  return (essence) => exact.has(essence) || prefixes.some((prefix) => essence.startsWith(prefix));
}

function essenceOf({ fields }: AnswerDraft): string {
  return (fields.get('content-type') ?? '').split(';')[0]!.trim().toLowerCase();
}

function mayBePacked(draft: AnswerDraft, isMeant: (essence: string) => boolean): boolean {
  const { fields, status } = draft;
  // A part of an answer is a part of the unpacked one.
  if (status < 200 || status === 204 || status === 206) return false;
  if (fields.has('content-encoding') || fields.has('content-range')) return false;
  // RFC 9111 §5.2.2.6.
  if (/(?:^|,)\s*no-transform\s*(?:,|$)/i.test(fields.get('cache-control') ?? '')) return false;
  const essence = essenceOf(draft);
  // A 304 seldom says of which type the answer is that it speaks of; it says what that one would (RFC 9110 §15.4.5).
  return isMeant(essence) || (status === 304 && essence === '');
}

/** A caller who was given the answer unpacked knows it by its strong tag, and is told that one where nobody knows better. */
function weakenTag({ request }: PolicyInput, draft: AnswerDraft): void {
  const has: readonly string[] = request.field.get('if-none-match')?.match(/(?:W\/)?"[^"]*"/g) ?? [];
  if (essenceOf(draft) !== '' || !has.includes(draft.fields.get('etag') ?? '')) draft.weakenTag();
}

function vary({ fields }: AnswerDraft): void {
  const before = fields.get('vary');
  const names =
    before
      ?.toLowerCase()
      .split(',')
      .map((name) => name.trim()) ?? [];
  if (names.includes('*') || names.includes('accept-encoding')) return;
  fields.set('vary', before === undefined ? 'accept-encoding' : `${before}, accept-encoding`);
}

function describe(draft: AnswerDraft, coding: Coding): void {
  draft.fields.set('content-encoding', coding);
  draft.fields.remove('content-length');
  draft.changeBytes();
}

/** Passes what comes through a packer, no faster than the reader takes it. */
class Packing implements BodyTransform {
  private over = false;
  private waits = false;

  /** @param flushes after each piece, so that an event is not held back until the next one */
  constructor(
    private readonly packer: Packer,
    private readonly flushes: boolean,
    out: BodyOut,
    guarded: <Values extends unknown[]>(run: (...values: Values) => void) => (...values: Values) => void,
  ) {
    packer.on(
      'data',
      guarded((chunk: Buffer) => {
        if (!this.over && !out.data(chunk)) packer.pause();
      }),
    );
    packer.on(
      'end',
      guarded(() => {
        if (!this.over) out.end();
      }),
    );
    packer.on(
      'drain',
      guarded(() => {
        this.waits = false;
        if (!this.over) out.room();
      }),
    );
    packer.on(
      'error',
      guarded((error: Error) => {
        if (!this.over) out.refuse(refuse('INTERNAL', {}, { reason: `packing failed: ${error.message}` }));
      }),
    );
  }

  data(chunk: Buffer): boolean {
    const wants = this.packer.write(chunk);
    if (this.flushes) this.packer.flush();
    if (!wants) this.waits = true;
    return !this.waits;
  }

  end(): void {
    this.packer.end();
  }

  resume(): void {
    this.packer.resume();
  }

  close(): void {
    this.over = true;
    this.packer.destroy();
  }
}
