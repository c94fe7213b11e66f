import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

jest.setTimeout(60_000);

/** Those that need no servers and no other process; each checks that what it measures does what it should. */
const names = ['matching', 'gcra', 'verification', 'canonical-request', 'policies'];

describe('the small benchmarks', () => {
  it.each(names)('%s gives a figure for each thing it measures', (name) => {
    const program = join(__dirname, '../bench/micro', `${name}.mjs`);
    const { stdout, stderr, status } = spawnSync(process.execPath, [program, '--seconds', '0.001', '--json'], {
      encoding: 'utf8',
      timeout: 50_000,
    });
    expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' });
    const figures = Object.values(JSON.parse(stdout) as Record<string, number | null>);
    expect(figures.length).toBeGreaterThan(1);
    // What is no number is null in JSON.
    expect(figures.filter((nanoseconds) => nanoseconds === null || nanoseconds < 0)).toEqual([]);
  });
});
