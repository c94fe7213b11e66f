import { auditV1 } from '@sallyport/contracts';
import { ack, type BusMessage, type Verdict } from '@sallyport/platform';
import { Window } from './window';

const message = (seq: number): BusMessage => ({
  subject: 'sallyport.audit.batch.sealed.v1',
  data: auditV1.Batch.encode({ chain: 'c/ingress-1/1', firstSeq: BigInt(seq), bodies: [] }).finish(),
  headers: {},
  deliveries: 1,
});

/** A window whose transactions take 20 ms each, and whose pauses end when they are told to. */
function windowUnderTest() {
  const committed: number[][] = [];
  const pauses: { readonly ms: number; readonly end: () => void }[] = [];
  const clock = { now: 0, monotonic: () => clock.now };
  const window = new Window(
    async (deliveries) => {
      clock.now += 20;
      committed.push(deliveries.map(({ batch }) => Number(batch.firstSeq)));
      for (const { answer } of deliveries) answer(ack);
    },
    clock,
    (ms) => new Promise<void>((end) => pauses.push({ ms, end })),
  );
  return { window, committed, pauses };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('the window of the ingest', () => {
  it('commits a single message at once', async () => {
    const { window, committed } = windowUnderTest();
    expect(await window.take(message(1))).toEqual(ack);
    expect(committed).toEqual([[1]]);
  });

  it('begins the next transaction 200 ms after the last one began, with all that has come', async () => {
    const { window, committed, pauses } = windowUnderTest();
    await window.take(message(1));
    await turn();
    const verdicts = [window.take(message(2)), window.take(message(3))];
    await turn();
    expect(committed).toEqual([[1]]);
    expect(pauses.map(({ ms }) => ms)).toEqual([180]);
    pauses[0]!.end();
    expect(await Promise.all(verdicts)).toEqual([ack, ack]);
    expect(committed).toEqual([[1], [2, 3]]);
  });

  it('does not wait when a transaction would be full', async () => {
    const { window, committed, pauses } = windowUnderTest();
    const verdicts: Promise<Verdict>[] = [];
    for (let seq = 1; seq <= 40; seq++) verdicts.push(window.take(message(seq)));
    await Promise.all(verdicts.slice(0, 32));
    expect(committed.map(({ length }) => length)).toEqual([16, 16]);
    await turn();
    expect(pauses).toHaveLength(1);
    pauses[0]!.end();
    await Promise.all(verdicts);
    expect(committed.map(({ length }) => length)).toEqual([16, 16, 8]);
  });

  it('buries what is no batch', async () => {
    const { window } = windowUnderTest();
    expect(await window.take({ ...message(1), data: Uint8Array.from([0xff]) })).toMatchObject({ verdict: 'dead' });
  });

  it.each([
    ['of a chain whose name no table takes', { chain: 'c/ingress-1/1\0' }],
    ['of a chain without a name', { chain: '' }],
    ['with a place that no table takes', { firstSeq: 2n ** 63n }],
    ['with a place before the first', { firstSeq: 0n }],
  ])('buries a batch %s, which would hold up all others', async (_, odd) => {
    const { window, committed } = windowUnderTest();
    const data = auditV1.Batch.encode({ chain: 'c/ingress-1/1', firstSeq: 1n, bodies: [], ...odd }).finish();
    const verdicts = [window.take({ ...message(1), data }), window.take(message(2))];
    expect(await Promise.all(verdicts)).toMatchObject([{ verdict: 'dead' }, ack]);
    expect(committed).toEqual([[2]]);
  });
});
