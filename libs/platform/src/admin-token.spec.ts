import { createHash } from 'node:crypto';
import { buckets, systemClock } from '@sallyport/contracts';
import { bearerOf, watchAdminToken } from './admin-token';
import { createEmbeddedBus } from './embedded-bus';

const hashEntry = (token: string) =>
  Buffer.from(JSON.stringify({ sha256: createHash('sha256').update(token).digest('hex') }));

describe('the admin token', () => {
  it('is known by its hash, follows every change of it, and accepts nobody before', async () => {
    const bus = createEmbeddedBus(systemClock);
    const bucket = await bus.kv(buckets.adminToken);
    const token = await watchAdminToken(bus);
    expect([token.known(), token.accepts('first')]).toEqual([false, false]);
    await bucket.put('current', hashEntry('first'));
    await new Promise(setImmediate);
    expect([token.known(), token.accepts('first'), token.accepts('second')]).toEqual([true, true, false]);
    await bucket.put('current', hashEntry('second'));
    await new Promise(setImmediate);
    expect([token.accepts('first'), token.accepts('second')]).toEqual([false, true]);
    await bucket.put('current', Buffer.from('{"sha256":"short"}'));
    await new Promise(setImmediate);
    expect([token.known(), token.accepts('second')]).toEqual([false, false]);
    await token.close();
    await bus.drain();
  });

  it.each([
    ['Bearer abc', 'abc'],
    ['bearer  a-b._~+/c==', 'a-b._~+/c=='],
    ['Basic abc', undefined],
    ['Bearer', undefined],
    ['Bearer a b', undefined],
    [undefined, undefined],
  ])('is read from the field %p', (field, credential) => expect(bearerOf(field)).toBe(credential));
});
