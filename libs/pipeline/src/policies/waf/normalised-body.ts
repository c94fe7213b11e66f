import { refuse, type Refusal, type SnapshotRoute } from '@sallyport/contracts';
import { isFormType, isJsonType, splitArguments } from '@sallyport/waf';
import { jsonBoundsOf, JsonFault, readExactJson, writeExactJson, type JsonBounds } from '../../json/strict-json';
import { pass, type WholeRequestBody } from '../../policy';

const ACCEPTED = 'application/json or application/x-www-form-urlencoded, without a content coding';

/** Bounds by which a body was inspected, and by which it is read again. */
export interface NormalisedBounds {
  /** Bytes of a body that are inspected: of a larger one there would be a part nobody has read. */
  readonly maxBytes: number;
  readonly formArguments: number;
}

/**
 * Writes the body again from what was read of it, so that the upstream cannot read anything else: no member twice, no white
 * space, no escape that need not be one. A body nobody can write again is refused.
 */
export function normalisedBody(
  route: Pick<SnapshotRoute, 'limits'>,
  { maxBytes, formArguments }: NormalisedBounds,
): WholeRequestBody {
  const bounds = jsonBoundsOf(route);
  return {
    mode: 'whole',
    maxBytes,
    wants: ({ request }) => request.hasBody && request.contentLength !== 0,
    run: ({ request: { mediaType, field } }, body, draft, done) => {
      // A chunked body announces nothing and may be none.
      if (body.length === 0) return done(pass);
      const isPlain = (field.get('content-encoding') ?? 'identity').toLowerCase() === 'identity';
      if (!isPlain || !(isJsonType(mediaType) || isFormType(mediaType)))
        return done(refuse('MEDIA_TYPE_UNSUPPORTED', { accepted: ACCEPTED }));
      draft.dropDigests();
      done(isJsonType(mediaType) ? documentAgain(body, bounds) : formAgain(body, formArguments));
    },
  };
}

function documentAgain(body: Buffer, bounds: JsonBounds): Buffer | Refusal {
  const read = readExactJson(body, bounds);
  if (read instanceof JsonFault) return malformed(`the body ${read.what}, at ${read.at}`);
  return Buffer.from(writeExactJson(read.value));
}

function formAgain(body: Buffer, most: number): Buffer | Refusal {
  const { arguments: found, invalidEscapes, tooMany } = splitArguments(body.toString('latin1'), most);
  if (tooMany) return malformed(`the form has more than ${most} arguments`);
  if (invalidEscapes) return malformed('the form has an escape that cannot be read');
  const pairs = found.filter(({ name, value }) => name !== '' || value !== '');
  return Buffer.from(pairs.map(({ name, value }) => `${escaped(name)}=${escaped(value)}`).join('&'), 'latin1');
}

function malformed(reason: string): Refusal {
  return refuse('REQUEST_MALFORMED', { reason });
}

/** As the URL Standard writes forms (§5.2): a space is a plus, and letters, digits and `*-._` stay. @param text of bytes */
function escaped(text: string): string {
  return text.replace(/[^A-Za-z0-9*._-]/g, (byte) =>
    byte === ' ' ? '+' : `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );
}
