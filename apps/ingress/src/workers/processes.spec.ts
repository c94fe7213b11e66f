import cluster from 'node:cluster';
import { launchProcess } from './processes';

describe('a process that cannot be started', () => {
  afterEach(() => cluster.setupPrimary({}));

  it('counts as one that has ended, so that its place does not stay empty', async () => {
    cluster.setupPrimary({ cwd: '/there/is/no/such/folder' });
    const ended = await new Promise((resolve) => {
      launchProcess({ said: () => undefined, exited: (code, signal) => resolve([code, signal]) });
    });
    expect(ended).toEqual([null, null]);
  });
});
