import { drain } from './budget';
import type { Bytes } from './bytes';
import { compileRuleSet, type CompileOptions } from './compile';
import type { Adjustment, RuleSet } from './compiled-rules';
import type { Transaction, TransactionOptions } from './transaction';
import type { HeaderField } from './variables/facts';

/** What a test request differs in from `GET /` without a body. */
export interface ExchangeUnderTest {
  readonly method?: string;
  readonly target?: Bytes;
  readonly protocol?: string;
  /** By name; repeated names by an array. */
  readonly fields?: Readonly<Record<string, Bytes | readonly Bytes[]>>;
  readonly body?: Bytes;
  readonly clientAddress?: string;
  readonly response?: {
    readonly status: number;
    readonly fields?: Readonly<Record<string, Bytes>>;
    readonly body?: Bytes;
  };
}

export interface RunOptions extends CompileOptions {
  readonly adjustment?: Adjustment;
  readonly mode?: 'detect' | 'block';
  /** Data files beside the rules. */
  readonly data?: Readonly<Record<string, Bytes>>;
  readonly budget?: TransactionOptions['budget'];
}

/** Compiles rules as if they were the only file, `test.conf`. */
export function rulesOf(text: Bytes, { data = {}, ...options }: RunOptions = {}): RuleSet {
  return compileRuleSet({ files: [{ name: 'test.conf', text }], read: (name) => data[name] }, options);
}

/** Runs one exchange through all five phases. */
export function run(rules: Bytes | RuleSet, exchange: ExchangeUnderTest = {}, options: RunOptions = {}): Transaction {
  const set = typeof rules === 'string' ? rulesOf(rules, options) : rules;
  const { method = 'GET', target = '/', protocol = 'HTTP/1.1', body = '', clientAddress = '192.0.2.7' } = exchange;
  const { mode = 'block', budget } = options;
  const transaction = set.adjusted(options.adjustment).begin({
    mode,
    budget: budget ?? { slice: 4, base: 10_000, perKib: 0, most: 10_000 },
    requestId: 'a1b2c3',
    now: () => performance.now(),
    logLines: true,
  });
  drain(transaction.requestHead({ method, target, protocol, clientAddress, fields: fieldsOf(exchange.fields) }));
  drain(transaction.requestBody({ raw: body }));
  if (exchange.response) {
    const { status, fields, body: answer = '' } = exchange.response;
    drain(transaction.responseHead({ status, fields: fieldsOf(fields) }));
    transaction.responseChunk(answer);
    drain(transaction.responseEnd());
  }
  drain(transaction.finish());
  return transaction;
}

function fieldsOf(fields: ExchangeUnderTest['fields'] = {}): HeaderField[] {
  return Object.entries(fields).flatMap(([name, values]) =>
    [values].flat().map((value) => ({ name, value: value as Bytes })),
  );
}

/** Ids of the rules that left a hit, in the order in which they did. */
export function hitsOf(rules: Bytes | RuleSet, exchange?: ExchangeUnderTest, options?: RunOptions): number[] {
  return run(rules, exchange, options)
    .takeHits()
    .map(({ rule }) => rule);
}
