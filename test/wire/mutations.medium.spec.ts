import { openRoute, startGateway, type GatewayUnderTest } from './gateway-under-test';
import { mutations, type Mutation } from './mutations';
import { talk } from './raw-client';
import { RawOrigin } from './raw-origin';

const AT_ONCE = 40;
/** Nothing; one chunk or two; and what three bytes are where a line end more stands in front of them. */
const BODIES = ['', 'abc', 'abcabc', '\nab', '\rab'];

let gateway: GatewayUnderTest;
let origin: RawOrigin;

beforeAll(async () => {
  origin = new RawOrigin();
  const url = await origin.listen();
  gateway = await startGateway({ plain: { limits: { headersMs: 500, requestMs: 1_000, checkMs: 50 } } });
  await gateway.publish([openRoute('/open')], url);
});
afterAll(async () => {
  await gateway?.close();
  await origin?.close();
});

/** What went wrong with a mutation; undefined: it was refused, or became exactly what it says in canonical framing. */
async function verdictOn({ bytes }: Mutation, index: number): Promise<string | undefined> {
  const path = `/open/${index}`;
  const { answers, closed, text } = await talk(gateway.ports['plain']!, bytes(path), { quiet: 30 });
  const seen = origin.requests.filter(({ line }) => line.endsWith(`${path} HTTP/1.1`) || line.includes(`${path}?`));
  const own = seen.filter(({ line }) => !line.includes('hidden'));
  const fault = seen.find((request) => request.fault !== undefined)?.fault;
  if (fault) return `the upstream saw ${fault}`;
  const whole = own.filter(({ complete }) => complete);
  const served = answers.filter(({ status }) => status === 200).length;
  if (whole.length > 1) return `${whole.length} requests reached the upstream`;
  if (answers.some(({ status }) => status >= 500)) return `an answer ${text.slice(0, 60)}`;
  if (served > 0 && whole.length === 0) return 'an answer without a request';
  const hidden = seen.filter(({ line, complete }) => line.includes('hidden') && complete).length;
  // What is hidden behind a message that is framed as it should be is the next request; nobody waits for its answer here.
  if (served < whole.length || served > whole.length + hidden)
    return `${served} answers to ${whole.length + hidden} requests`;
  if (whole.length === 1 && !BODIES.includes(whole[0]!.body)) return `a body ${JSON.stringify(whole[0]!.body)}`;
  const refused = answers.some(({ status }) => status >= 400);
  if (refused && !closed) return 'refused, and the connection stayed open';
  if (!refused && whole.length === 0 && !closed) return 'neither refused nor served';
  return undefined;
}

it('rel-T32 more than 1,700 mutated messages are refused and closed, or become one request in canonical framing', async () => {
  const all = mutations();
  expect(all.length).toBeGreaterThanOrEqual(1_700);
  const wrong: string[] = [];
  const waiting = [...all.entries()];
  const judge = async (): Promise<void> => {
    for (let next = waiting.pop(); next; next = waiting.pop()) {
      const [at, mutation] = next;
      const verdict = await verdictOn(mutation, at);
      if (verdict) wrong.push(`${mutation.name}: ${verdict}`);
    }
  };
  // Many are refused only when their time is over: nobody waits for those beside it.
  await Promise.all(Array.from({ length: AT_ONCE }, judge));
  expect(wrong).toEqual([]);
  const served = origin.requests.filter(({ complete, line }) => complete && !line.includes('hidden'));
  expect(all.length - served.length).toBeGreaterThan(all.length / 2);
}, 240_000);
