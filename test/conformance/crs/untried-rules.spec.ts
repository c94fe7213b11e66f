import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { sharedData } from '@sallyport/testkit';
import { EngineTarget } from './engine-target';

const folder = sharedData('crs', '4.28.0');
const isThere = folder !== undefined && existsSync(join(folder, 'rules'));
const whenThere = isThere ? describe : describe.skip;

if (!isThere) console.warn('CRS DATA MISSING: rules of the Core Rule Set that have no test of their own were NOT RUN');

const browser = 'Host: shop.example\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0)\r\nAccept: */*\r\n';
const request = (line: string, more = '') => Buffer.from(`${line}\r\n${browser}${more}\r\n`, 'latin1');

/** `bytes` of codings, in letters of both cases. */
const codings = (bytes: number) => 'gzip, Br, '.repeat(Math.ceil(bytes / 10)).slice(0, bytes - 1) + 'x';

whenThere('rules of the Core Rule Set that its own tests do not try', () => {
  let target: EngineTarget;

  // A block that is skipped is still read, and would look for the files.
  beforeAll(() => {
    const [rules, setup] = [join(folder!, 'rules'), join(folder!, 'crs-setup.conf.example')];
    target = new EngineTarget({ rules, setup, paranoia: 4 });
  });

  it.each([
    ['codings of a hundred bytes', request('GET / HTTP/1.1', `Accept-Encoding: ${codings(100)}\r\n`), 920520, false],
    ['a byte more', request('GET / HTTP/1.1', `Accept-Encoding: ${codings(101)}\r\n`), 920520, true],
    ['no codings at all', request('GET / HTTP/1.1'), 920520, false],
    ['a fragment in the target', request('GET /orders#part HTTP/1.1'), 920610, true],
    ['one behind the query', request('GET /orders?page=1#part HTTP/1.1'), 920610, true],
    ['one that is escaped', request('GET /orders%23part HTTP/1.1'), 920610, false],
  ])('find as they say: %s', async (_, bytes, rule, isFound) => {
    const [{ log } = { log: [] }] = await target.observe([bytes]);
    expect(log.some((line) => line.includes(`[id "${rule}"]`))).toBe(isFound);
  });
});
