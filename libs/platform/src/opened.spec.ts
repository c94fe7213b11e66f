import { opening, type Opened } from './opened';

describe('what a start has opened', () => {
  const part = (name: string, ended: string[], fails = false) => ({
    close: async () => {
      ended.push(name);
      if (fails) throw new Error(`${name} is stuck`);
    },
  });

  it('is ended in the opposite order, and once', async () => {
    const ended: string[] = [];
    let kept: Opened | undefined;
    const running = await opening(async (opened) => {
      kept = opened;
      opened.push(part('database', ended));
      opened.push(part('listener', ended));
      return { name: 'service' };
    });
    expect([running.name, kept!.ending]).toEqual(['service', false]);
    await Promise.all([running.close(), running.close()]);
    expect([ended, kept!.ending]).toEqual([['listener', 'database'], true]);
  });

  it('is ended when the start fails, and the failure is passed on', async () => {
    const ended: string[] = [];
    const failing = opening(async (opened) => {
      opened.push(part('database', ended, true));
      throw new Error('the port is taken');
    });
    await expect(failing).rejects.toThrow('the port is taken');
    expect(ended).toEqual(['database']);
  });

  it('is ended whole even when one part does not end well, which is said afterwards', async () => {
    const ended: string[] = [];
    const running = await opening(async (opened) => {
      opened.push(part('first', ended));
      opened.push(part('second', ended, true));
      return {};
    });
    await expect(running.close()).rejects.toThrow('not everything could be ended');
    expect(ended).toEqual(['second', 'first']);
  });
});
