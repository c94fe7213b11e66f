import * as fc from 'fast-check';
import { Cursors } from './cursor';

const cursors = new Cursors(Buffer.alloc(32, 1));
const place = { position: 7, from: 1, to: 2 };

it('gives the place back to the search it was made for, and to no other', () => {
  fc.assert(
    fc.property(
      fc.maxSafeNat(),
      fc.maxSafeInteger(),
      fc.maxSafeInteger(),
      fc.string(),
      (position, from, to, filters) => {
        const cursor = cursors.write({ position, from, to }, filters);
        expect(cursors.read(cursor, filters)).toEqual({ position, from, to });
        expect(cursors.read(cursor, `${filters}x`)).toBeUndefined();
      },
    ),
  );
});

it('is refused when one character differs, or when another installation made it', () => {
  const cursor = cursors.write(place, '');
  expect(cursors.read(cursor.replace(/^./, 'B'), '')).toBeUndefined();
  expect(new Cursors(Buffer.alloc(32, 2)).read(cursor, '')).toBeUndefined();
  expect(cursors.read('', '')).toBeUndefined();
});
