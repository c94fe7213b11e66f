import type { ToWorker } from './messages';
import { Spare } from './spare';
import type { WorkerListener } from './supervisor';

describe('the process in reserve', () => {
  let launched: Array<{ listener: WorkerListener; told: ToWorker[]; killed: boolean }>;
  let spare: Spare;

  beforeEach(() => {
    launched = [];
    spare = new Spare((listener) => {
      const process = { listener, told: [] as ToWorker[], killed: false };
      launched.push(process);
      return {
        pid: launched.length,
        send: (message) => void process.told.push(message),
        kill: () => void (process.killed = true),
      };
    });
  });
  const listener = () => ({ said: jest.fn(), exited: jest.fn() });

  it('takes the next place, and is heard from then on', () => {
    spare.prepare();
    spare.prepare();
    expect(launched).toHaveLength(1);
    expect(launched[0]!.told).toEqual([]);
    const member = listener();
    expect(spare.fork(2, member).pid).toBe(1);
    expect(launched[0]!.told).toEqual([{ what: 'serve', slot: 2 }]);
    launched[0]!.listener.said({ what: 'listening' });
    launched[0]!.listener.exited(1, null);
    expect(member.said.mock.calls).toEqual([[{ what: 'listening' }]]);
    expect(member.exited.mock.calls).toEqual([[1, null]]);
  });

  it('is one process: whoever comes next gets a new one, with its place', () => {
    spare.prepare();
    spare.fork(1, listener());
    expect(spare.fork(2, listener()).pid).toBe(2);
    expect(launched[1]!.told).toEqual([{ what: 'serve', slot: 2 }]);
  });

  it('is given no place once it has died, and is not put there again by itself', () => {
    spare.prepare();
    launched[0]!.listener.exited(null, 'SIGKILL');
    expect(launched).toHaveLength(1);
    expect(spare.fork(1, listener()).pid).toBe(2);
  });

  it('ends when nobody will need it', () => {
    spare.dismiss();
    spare.prepare();
    spare.dismiss();
    expect(launched.map(({ killed }) => killed)).toEqual([true]);
  });
});
