// What verifying a credential costs: `node bench/micro/verification.mjs [--seconds 0.5] [--json]`
// Prints nanoseconds of processor time for one credential, the median of several windows: keys and tokens that were seen before,
// and those that were not, which can be verified for the first time only once: of these a promise and a question are a part.
import { randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';
import { nanosecondsOf, nanosecondsOfEach, smallBenchmark } from '../processor-time.mjs';

const require = createRequire(new URL('../../dist/', import.meta.url));

/** Credentials of each kind that were never seen. */
const FRESH = 2_100;
const ALGORITHMS = ['ES256', 'EdDSA', 'RS256'];

smallBenchmark(import.meta, 'credential', measure);

/** @returns processor nanoseconds for one credential of each kind. */
export async function measure(seconds) {
  const { LocalVerifier, Pepper } = require('./libs/identity/src/index.js');
  const { TEST_NOW, TestClock, TestIssuer, testKey } = require('./libs/identity/src/test-issuer.js');
  const pepper = new Pepper(1, Buffer.alloc(32, 7));
  const engine = new LocalVerifier({ clock: new TestClock(), peppers: [pepper] });
  const issuers = await Promise.all(
    ALGORITHMS.map((algorithm) => TestIssuer.create(algorithm.toLowerCase(), algorithm)),
  );
  engine.setTrust(issuers.map((issuer) => issuer.trustEntry()));
  const keys = times(FRESH + 1, () => testKey(pepper, randomBytes));
  for (const { record } of keys) engine.keys.put(record);
  engine.keys.confirm(TEST_NOW);

  const { ask, again } = asking(engine);
  const figures = {};
  const known = keys.pop().text;
  await ask('api-key', known);
  figures['key, seen before'] = nanosecondsOf(again('api-key', known), seconds);
  figures['key, for the first time'] = await nanosecondsOfEach(keys, ({ text }) => ask('api-key', text));
  const unknown = times(FRESH, () => testKey(pepper, randomBytes).text);
  figures['key that nobody knows'] = await nanosecondsOfEach(unknown, (text) =>
    ask('api-key', text, 'AUTH_KEY_INVALID'),
  );
  for (const [at, issuer] of issuers.entries()) {
    const [token, ...tokens] = await Promise.all(
      times(FRESH + 1, (number) => issuer.token({ jti: `token-${number}` })),
    );
    await ask('bearer', token);
    if (at === 0) figures['token, seen before'] = nanosecondsOf(again('bearer', token), seconds);
    const first = (text) => ask('bearer', text);
    figures[`token, ${ALGORITHMS[at]}, for the first time`] = await nanosecondsOfEach(tokens, first);
  }
  const [issuer] = issuers;
  const late = await Promise.all(times(FRESH, (number) => issuer.token({ jti: `late-${number}`, exp: 1 })));
  figures['token that has expired'] = await nanosecondsOfEach(late, (text) =>
    ask('bearer', text, 'AUTH_TOKEN_EXPIRED'),
  );
  return figures;
}

function times(count, make) {
  return Array.from({ length: count }, (_, number) => make(number));
}

function asking(engine) {
  const { presentedAt } = require('./libs/identity/src/test-issuer.js');
  const caller = presentedAt('/orders');
  return {
    /** @param code of the refusal that is to be met; none for a principal, which has no code */
    ask: (kind, value, code) =>
      new Promise((resolve, reject) =>
        engine.verify({ ...caller, kind, value }, (outcome) => {
          if (outcome.code === code) resolve();
          else
            reject(
              new Error(`${outcome.code ?? 'a principal'} instead of ${code ?? 'a principal'}: ${outcome.reason}`),
            );
        }),
      ),
    /** What was seen before is answered at once. */
    again(kind, value) {
      const question = { ...caller, kind, value };
      const done = () => undefined;
      return () => engine.verify(question, done);
    },
  };
}
