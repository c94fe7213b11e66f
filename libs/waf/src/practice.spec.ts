import { practice } from './practice';
import { transformations } from './transformations/registry';

describe('practice before the first request', () => {
  it('pauses after each value of each reader, so that nothing else waits for it', () => {
    const steps = [...practice()].length;
    expect(steps % (transformations.length + 2)).toBe(0);
    expect(steps).toBeGreaterThan(transformations.length);
  });
});
