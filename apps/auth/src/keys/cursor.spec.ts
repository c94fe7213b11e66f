import { Cursors } from './cursor';

const cursors = new Cursors(Buffer.alloc(32, 1));
const ID = '01890a5d-ac96-774b-bcce-b302099a8057';

describe('cursors', () => {
  it('lead back to the row they were made for', () => {
    expect(cursors.read(cursors.write(ID))).toBe(ID);
  });

  it('are opaque: one that was changed, cut, made up or made elsewhere says nothing', () => {
    const cursor = cursors.write(ID);
    const elsewhere = new Cursors(Buffer.alloc(32, 2)).write(ID);
    const changed = (cursor.startsWith('A') ? 'B' : 'A') + cursor.slice(1);
    for (const other of ['', 'x', ID, cursor.slice(0, -2), changed, elsewhere])
      expect(cursors.read(other)).toBeUndefined();
  });
});
