import type { Clock } from '@sallyport/contracts';
import { createEmbeddedBus } from '../embedded-bus';
import { connectNatsBus } from '../nats-bus';
import { hasNatsServer, startNatsServer } from '../nats-server.suite';
import { describeSnapshots } from './snapshot.suite';

jest.setTimeout(30_000);

const clock: Clock = { now: () => Date.now(), monotonic: () => performance.now() };
const logger = { info: () => undefined, warn: () => undefined, error: () => undefined };

describeSnapshots('configurations over the embedded bus', async () => {
  const bus = createEmbeddedBus(clock, logger);
  return { bus, peer: bus, close: () => bus.drain() };
});

if (hasNatsServer) {
  describeSnapshots('configurations over NATS', async () => {
    const server = await startNatsServer();
    const bus = await connectNatsBus({ url: server.url, name: 'catalog', logger });
    const peer = await connectNatsBus({ url: server.url, name: 'ingress', logger });
    return {
      bus,
      peer,
      close: async () => {
        await bus.drain();
        await peer.drain();
        await server.close();
      },
    };
  });
} else {
  console.warn('skipped: configurations over NATS, because nats-server is not installed');
  describe.skip('configurations over NATS (skipped: nats-server is not installed)', () => it('', () => undefined));
}
