import type { Json } from '@sallyport/contracts';
import * as fc from 'fast-check';
import { patchBetween, type PatchOperation } from './json-patch';

type Open = Json | { [name: string]: Json } | undefined;

/** RFC 6902 for what we emit: members of objects and the whole document. */
function apply(document: Open, operations: readonly PatchOperation[]): Open {
  let root = structuredClone<Open>(document);
  for (const operation of operations) {
    const tokens = operation.path
      .split('/')
      .slice(1)
      .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'));
    const name = tokens.pop();
    if (name === undefined) {
      root = operation.op === 'remove' ? undefined : operation.value;
      continue;
    }
    const parent = tokens.reduce<Open>((at, token) => (at as { [name: string]: Json })[token], root) as {
      [name: string]: Json;
    };
    if (operation.op === 'remove') delete parent[name];
    else
      Object.defineProperty(parent, name, {
        value: operation.value,
        enumerable: true,
        configurable: true,
        writable: true,
      });
  }
  return root;
}

it('turns the state before into the state after', () => {
  const json = fc.jsonValue() as fc.Arbitrary<Json>;
  fc.assert(
    fc.property(fc.option(json, { nil: undefined }), fc.option(json, { nil: undefined }), (before, after) => {
      expect(apply(before, patchBetween(before, after))).toEqual(after);
    }),
    { numRuns: 500 },
  );
});

it('says nothing about what is the same', () => {
  expect(patchBetween({ a: [1, { b: 2 }], c: 3 }, { a: [1, { b: 2 }], c: 4 })).toEqual([
    { op: 'replace', path: '/c', value: 4 },
  ]);
});

it('escapes slashes and tildes of member names', () => {
  expect(patchBetween({}, { 'a/b~c': 1 })).toEqual([{ op: 'add', path: '/a~1b~0c', value: 1 }]);
});
