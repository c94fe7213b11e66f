import { bytesForRows, copiedRows, type PlacedRow } from './copied-rows';
import type { EventRow } from './row';

const row: EventRow = {
  retention: 'traffic',
  at: Date.UTC(2026, 10, 29),
  uid: '019aceb0-0000-7c41-9f0e-3a5d2b8e7711',
  tenant: 'default',
  kind: 'request.completed',
  typeUid: 400203,
  actorRef: null,
  app: 'Müller & Söhne',
  resource: null,
  route: 'orders',
  disposition: 1,
  status: null,
  requestId: 'req_1',
  traceId: null,
  spanId: null,
};
const placed: PlacedRow = { chain: 7, seq: 2 ** 40, position: 12, row, body: Buffer.from([0, 0x5c, 0xff]) };

/** The fields of rows, as Postgres takes them apart. */
function fieldsOf(bytes: Buffer): (Buffer | null)[][] {
  expect(bytes.subarray(0, 11).toString('latin1')).toBe('PGCOPY\n\xff\r\n\0');
  let at = 11 + 4 + 4;
  const rows: (Buffer | null)[][] = [];
  for (let count = bytes.readInt16BE(at); count !== -1; count = bytes.readInt16BE(at)) {
    at += 2;
    rows.push(
      Array.from({ length: count }, () => {
        const length = bytes.readInt32BE(at);
        at += 4;
        if (length === -1) return null;
        return bytes.subarray(at, (at += length));
      }),
    );
  }
  expect(at + 2).toBe(bytes.length);
  return rows;
}

const rowsOf = (rows: readonly PlacedRow[]): Buffer => copiedRows(rows, Buffer.alloc(bytesForRows(rows)));

describe('rows in the binary format of COPY', () => {
  it('say every column in its own type, texts as UTF-8 and a body as it is', () => {
    const [fields] = fieldsOf(rowsOf([placed]));
    expect(fields).toHaveLength(18);
    expect(fields!.map((field) => field && field.toString('hex'))).toEqual([
      Buffer.from('traffic').toString('hex'),
      // 26.9 years of microseconds since 2000.
      (BigInt(Date.UTC(2026, 10, 29) - Date.UTC(2000)) * 1000n).toString(16).padStart(16, '0'),
      '019aceb000007c419f0e3a5d2b8e7711',
      '000000000000000c',
      '00000007',
      '0000010000000000',
      Buffer.from('default').toString('hex'),
      Buffer.from('request.completed').toString('hex'),
      (400203).toString(16).padStart(8, '0'),
      null,
      Buffer.from('Müller & Söhne').toString('hex'),
      null,
      Buffer.from('orders').toString('hex'),
      '0001',
      null,
      Buffer.from('req_1').toString('hex'),
      null,
      '005cff',
    ]);
  });

  it('follow each other, and an empty text is no missing one', () => {
    const [first, second] = fieldsOf(rowsOf([placed, { ...placed, row: { ...row, app: '', status: 200 } }]));
    expect(first![10]).not.toEqual(second![10]);
    expect(second![10]).toHaveLength(0);
    expect(second![14]!.readInt16BE()).toBe(200);
  });

  it('have room for texts in every column whose every unit is three bytes, and for moments before 2000', () => {
    const long = '€'.repeat(256);
    const texts = { tenant: long, kind: long, actorRef: long, app: long, resource: long, route: long };
    const widest = { ...row, ...texts, requestId: long, traceId: long, at: 0 };
    const [fields] = fieldsOf(rowsOf([{ ...placed, row: widest }]));
    for (const at of [6, 7, 9, 10, 11, 12, 15, 16]) expect(fields![at]!.toString()).toBe(long);
    expect(fields![17]).toEqual(placed.body);
    expect(fields![1]!.readBigInt64BE()).toBe(-BigInt(Date.UTC(2000)) * 1000n);
  });

  it('are written over what lies in the room for them, and take no more of it than was said', () => {
    const room = Buffer.alloc(bytesForRows([placed]) + 100, 0xee);
    const there = copiedRows([placed], room);
    expect(there).toEqual(rowsOf([placed]));
    expect(there.length).toBeLessThanOrEqual(bytesForRows([placed]));
    expect(room.subarray(there.length)).toEqual(Buffer.alloc(room.length - there.length, 0xee));
  });
});
