import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LiveCount } from './live-count';

describe('LiveCount', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sp-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('takes an eighth where nobody has ever said a number', () => expect(new LiveCount(undefined).count).toBe(8));

  it('knows after a restart what was said last', async () => {
    const file = join(folder, 'data', 'live');
    const before = new LiveCount(file);
    before.note(3);
    before.note(2);
    await before.close();
    expect(new LiveCount(file).count).toBe(2);
    expect(readFileSync(file, 'utf8')).toBe('2\n');
  });

  it.each(['', 'many', '0', '-1', '1.5', '9'.repeat(40)])('does not believe a file that says %p', (content) => {
    const file = join(folder, 'live');
    writeFileSync(file, content);
    expect(new LiveCount(file).count).toBe(8);
  });

  it('goes on when the disk does not', async () => {
    const failed = jest.fn();
    writeFileSync(join(folder, 'a-file'), '');
    const live = new LiveCount(join(folder, 'a-file', 'live'), failed);
    live.note(4);
    await live.close();
    expect(live.count).toBe(4);
    expect(failed).toHaveBeenCalledTimes(1);
  });

  it('does not believe a count that cannot be', () => {
    const live = new LiveCount(undefined);
    live.note(0);
    live.note(1e9);
    expect(live.count).toBe(8);
  });
});
