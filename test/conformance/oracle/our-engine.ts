import { defaultBudget, drain } from '../../../libs/waf/src/budget';
import { compileRuleSet } from '../../../libs/waf/src/compile';
import type { Program } from '../../../libs/waf/src/program';
import type { RuleSource } from '../../../libs/waf/src/seclang/rule-source';
import type { Transaction } from '../../../libs/waf/src/transaction';
import { sortedOnce, type Exchange, type Verdict } from './oracle';

const unlimited = { ...defaultBudget, base: 60_000, most: 60_000 };
const inspectedTypes = /^(text\/(plain|html|xml)|application\/json)\s*(;|$)/i;
const fieldsOf = (fields: Exchange['fields']) => fields.map(([name, value]) => ({ name, value }));

/** Our engine, asked as the oracle is. */
export class OurEngine {
  private readonly program: Program;

  constructor(
    source: RuleSource,
    private readonly names: readonly string[],
  ) {
    this.program = compileRuleSet(source).adjusted();
  }

  ask({ method, target, protocol, fields, body, response }: Exchange): Verdict {
    const options = { mode: 'block', requestId: 'oracle', now: () => performance.now(), budget: unlimited } as const;
    const transaction = this.program.begin({ ...options, logLines: true });
    const clientAddress = '127.0.0.1';
    drain(
      transaction.requestHead({
        method,
        target,
        protocol: `HTTP/${protocol}`,
        fields: fieldsOf(fields),
        clientAddress,
      }),
    );
    if (!transaction.interruption) drain(transaction.requestBody({ raw: body }));
    if (!transaction.interruption && response) {
      const { status, fields: answered, body: text } = response;
      drain(transaction.responseHead({ status, protocol: 'HTTP/1.1', fields: fieldsOf(answered) }));
      // As the library does, and as those who call ours do: a body of another type is looked at by no rule.
      if (inspectedTypes.test(answered.find(([name]) => name.toLowerCase() === 'content-type')?.[1] ?? '')) {
        transaction.responseChunk(text);
        drain(transaction.responseEnd());
      }
    }
    drain(transaction.finish());
    return {
      rules: sortedOnce(transaction.takeLogLines().map(idOf)),
      status: transaction.interruption?.status ?? 200,
      tx: this.variablesOf(transaction),
    };
  }

  private variablesOf(transaction: Transaction): Record<string, string> {
    const set = this.names.map((name): [string, string | undefined] => [name, transaction.txVariable(name)]);
    return Object.fromEntries(set.filter((entry): entry is [string, string] => entry[1] !== undefined));
  }
}

function idOf(line: string): number {
  return Number(/\[id "(\d+)"\]/.exec(line)?.[1]);
}
