import fc from 'fast-check';
import { headUnderTest } from '../inspector.suite';
import { compilePlan } from '../plan';
import type { BodyView } from './body-view';
import { parseBody } from './parse-body';
import { bodyLimits, type ParsedBody } from './parsed-body';
import { formOf, viewOf } from './view-of';

const FORM = 'multipart/form-data; boundary=b';
const KIB = 1024;

interface Seen {
  readonly view: BodyView;
  readonly text: string;
  readonly parsed: ParsedBody | undefined;
  /** Chunks that were wanted. */
  readonly chunks: number;
}

/** Shows a body in chunks of these sizes, over and over. */
function show(contentType: string, body: string, plan: string, sizes: readonly number[] = [body.length]): Seen {
  const head = headUnderTest({ method: 'POST', mediaType: contentType.split(';')[0]! });
  const typed = { ...head, field: new Map([...head.field, ['content-type', contentType]]) };
  const view = viewOf(typed, compilePlan(plan));
  let chunks = 0;
  let wanted = true;
  for (let at = 0; at < body.length && wanted; chunks++) {
    const size = sizes[chunks % sizes.length]!;
    wanted = view.push(Buffer.from(body.slice(at, at + size), 'latin1'));
    at += size;
  }
  const text = view.end();
  return { view, text, parsed: formOf(typed, view, text), chunks };
}

const plan = (profile: string, body: object = { inspect: 2 * KIB }): string =>
  `${profile}:block:${JSON.stringify({ body })}`;

const part = (disposition: string, content: string): string =>
  `--b\r\nContent-Disposition: form-data; ${disposition}\r\n\r\n${content}\r\n`;
const form = (...parts: string[]): string => `${parts.join('')}--b--\r\n`;

describe('a form with files', () => {
  it('is shown with every field, wherever it stands, and the beginning of its files', () => {
    const body = form(
      part('name="a"', 'first'),
      part('name="f"; filename="big.bin"', 'x'.repeat(50_000)),
      part('name="z"', 'last'),
    );
    for (const size of [1, 7, 1_000, body.length]) {
      const { view, text, parsed } = show(FORM, body, plan('structural'), [size]);
      expect(parsed).toMatchObject({
        arguments: [
          { name: 'a', value: 'first' },
          { name: 'z', value: 'last' },
        ],
        files: [{ field: 'f', fileName: 'big.bin', size: 50_000 }],
        error: undefined,
        multipartFaults: [],
      });
      expect([view.received, view.unseen, view.tooLong]).toEqual([body.length, 'file-content', false]);
      expect(text.length).toBeLessThan(2 * KIB + 400);
    }
  });

  it('is shown whole where it fits', () => {
    const body = form(part('name="a"', '1'), part('name="f"; filename="x"', 'y'));
    const { view, text, parsed } = show(FORM, body, plan('structural'), [3]);
    expect([text, view.unseen, parsed]).toEqual([body, undefined, undefined]);
  });

  it('has fields that are too long, in one or in many', () => {
    for (const fields of [part('name="a"', 'x'.repeat(3 * KIB)), part('name="a"', 'x').repeat(100)]) {
      const { view } = show(FORM, form(part('name="f"; filename="x"', 'y'.repeat(9_000)), fields), plan('structural'));
      expect([view.tooLong, view.unseen]).toEqual([true, 'body-limit']);
    }
  });

  it.each([
    ['a file without a name', 'name="f"; filename=""'],
    ['a name in quotes that do not end', 'name="f'],
    ['a part without a name', 'size="3"'],
    ['a name of a file in the name of the field', 'name="; filename=x"'],
  ])('has no file in what is a field to its reader: %s', (_, disposition) => {
    const { view } = show(FORM, form(part(disposition, 'x'.repeat(3 * KIB))), plan('structural'));
    expect(view.tooLong).toBe(true);
  });

  it.each([
    ['an end of line of one byte', form(part('name="f"; filename="x"', 'y'.repeat(9_000))).replaceAll('\r\n', '\n')],
    ['a boundary amid a line', form(part('name="f"; filename="x"', `${'y'.repeat(9_000)}--b\r\nz`))],
    [
      'a line that begins as the boundary does',
      form(part('name="f"; filename="x"', `${'y'.repeat(9_000)}\r\n--bc\r\n`)),
    ],
    ['no end', part('name="f"; filename="x"', 'y'.repeat(9_000))],
    [
      'a part without the empty line',
      `--b\r\nContent-Disposition: form-data; name="a"\r\n${form(part('name="f"; filename="x"', 'y'.repeat(9_000)))}`,
    ],
    ['something behind its end', `${form(part('name="f"; filename="x"', 'y'.repeat(9_000)))}${part('name="a"', 'b')}`],
  ])('is read from what is shown as from the whole: %s', (_, body) => {
    const whole = parseBody('MULTIPART', FORM, body, bodyLimits);
    for (const size of [1, 5, 4_096]) expect(show(FORM, body, plan('structural'), [size]).parsed).toEqual(whole);
  });

  it('is read from what is shown as from the whole, whatever it is made of', () => {
    const pieces = fc.constantFrom(
      ...['--b', '--b--', '\r\n', '\n', '\r', '-', 'b', ': ', ';', '"', ' ', 'x'.repeat(400)],
      ...['Content-Disposition: form-data; name="f"; filename="n"', 'content-disposition:form-data;filename=m'],
      ...['\r\n--b\r\nContent-Disposition: form-data; name="f"; filename="n"\r\n\r\n', '\r\n\r\n', '\n\n'],
    );
    fc.assert(
      fc.property(
        fc.array(pieces, { maxLength: 40 }),
        fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1 }),
        (made, sizes) => {
          const body = made.join('');
          const { view, parsed, text } = show(FORM, body, plan('structural', { inspect: '1KiB' }), sizes);
          if (view.tooLong) return;
          const read = parsed ?? parseBody('MULTIPART', FORM, text, bodyLimits);
          expect(read).toEqual(parseBody('MULTIPART', FORM, body, bodyLimits));
        },
      ),
      { numRuns: 5_000, seed: 28 },
    );
  });

  it('that is cut where its reader sees no file is broken to it', () => {
    const limits = { ...bodyLimits, gaps: [{ at: form(part('name="a"', '')).indexOf('\r\n\r\n') + 4, bytes: 9 }] };
    expect(parseBody('MULTIPART', FORM, form(part('name="a"', '')), limits).error).toContain('no file');
  });
});

describe('a body without parts', () => {
  it.each([
    ['structural', 'application/json', '"', '"'],
    ['structural', 'application/x-www-form-urlencoded', 'a=', ''],
    ['structural', 'application/xml', '<a>', '</a>'],
    ['structural', 'application/octet-stream', '', ''],
    ['structural', '', '', ''],
    ['form', FORM, part('name="f"; filename="x"', 'y'.repeat(3 * KIB)), '--b--'],
    ['upload', 'application/json', '"', '"'],
    ['upload', 'application/x-www-form-urlencoded', 'a=', ''],
    ['own', 'application/octet-stream', '', ''],
  ])('is too long under %s as %s', (profile, type, before, after) => {
    const { view } = show(type, `${before}${'a'.repeat(2 * KIB)}${after}!`, plan(profile));
    expect([view.tooLong, view.unseen]).toEqual([true, 'body-limit']);
  });

  it('is a file under upload where no parser reads it, and is not waited for', () => {
    const { view, text, chunks } = show('application/pdf', 'x'.repeat(100 * KIB), plan('upload'), [KIB]);
    expect([text.length, view.tooLong, view.unseen, chunks]).toEqual([2 * KIB, false, 'file-content', 3]);
    expect(show('application/pdf', 'x'.repeat(2 * KIB), plan('upload')).view.unseen).toBeUndefined();
  });

  it('is not shown where it is a picture, and that is said', () => {
    const { view, text, chunks } = show('image/png', 'x'.repeat(9_000), plan('structural'), [KIB]);
    expect([text, view.tooLong, view.unseen, chunks]).toEqual(['', false, 'opaque-type', 1]);
  });

  it('is shown up to where it may be partial', () => {
    const partial = plan('structural', { inspect: '2KiB', over: 'partial' });
    expect(show('application/json', 'x'.repeat(9_000), partial).text).toHaveLength(2 * KIB);
    expect(show(FORM, form(part('name="f"; filename="x"', 'y'.repeat(9_000))), partial).text).toHaveLength(2 * KIB);
  });
});

describe('JSON with pictures', () => {
  const picture = Buffer.alloc(60_000, 'pixels and more').toString('base64');
  const json = (image: string) =>
    JSON.stringify({ messages: [{ content: [{ url: `data:image/png;base64,${image}` }, 'why?'] }] });

  it.each(['llm', 'mcp'])('is shown without them under %s', (profile) => {
    for (const size of [1, 1_000, 100_000]) {
      const { view, text } = show('application/json', json(`${picture}==`), plan(profile), [size]);
      expect(text).toBe(json(`${picture.slice(0, 1_024)}==`));
      expect([view.received, view.unseen]).toEqual([json(`${picture}==`).length, 'file-content']);
      expect(view.gaps.reduce((sum, { bytes }) => sum + bytes, text.length)).toBe(view.received);
    }
  });

  it('counts whatever is no letter, digit, plus or slash', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('a'.repeat(700), '\\/', '/', '\\', '\\n', '"', ' ', 'Z9+', '=', '\xe9', '-'), {
          maxLength: 30,
        }),
        fc.array(fc.integer({ min: 1, max: 900 }), { minLength: 1 }),
        (made, sizes) => {
          const body = made.join('');
          const { text, view } = show('application/json', body, plan('llm', { inspect: '1MiB' }), sizes);
          let whole = '';
          let from = 0;
          for (const { at, bytes } of view.gaps) {
            whole += text.slice(from, at) + body.slice(whole.length + at - from, whole.length + at - from + bytes);
            from = at;
          }
          expect(whole + text.slice(from)).toBe(body);
          expect(text.replaceAll(/[A-Za-z0-9+/]|\\\//g, '')).toBe(body.replaceAll(/[A-Za-z0-9+/]|\\\//g, ''));
        },
      ),
      { numRuns: 1_000, seed: 28 },
    );
  });

  it('has no files anywhere else', () =>
    expect(show('application/json', json(picture), plan('json-api')).view.tooLong).toBe(true));
});
