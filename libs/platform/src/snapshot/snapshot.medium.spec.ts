import type { Clock } from '@sallyport/contracts';
import { createEmbeddedBus } from '../embedded-bus';
import { describeSnapshots } from './snapshot.suite';

const clock: Clock = { now: () => Date.now(), monotonic: () => performance.now() };

describeSnapshots('configurations over the embedded bus', async () => {
  const bus = createEmbeddedBus(clock);
  return { bus, peer: bus, close: () => bus.drain() };
});
