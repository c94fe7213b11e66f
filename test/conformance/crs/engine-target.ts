import { errors, isRefusal, type Refusal } from '@sallyport/contracts';
import { canonicalRequest, limits } from '@sallyport/proxy';
import { compileRuleSet, defaultBudget, drain, type Program, type RequestHeadFacts } from '@sallyport/waf';
import { readMalformed } from '../../../libs/waf/src/malformed';
import { originAnswer, type OriginAnswer } from './origin';
import { readRequest, type ReadRequest } from './read-request';
import { ruleFiles } from './rule-files';
import { testSettings } from './settings';
import type { RulesUnderTest, Target } from './target';
import type { Observation } from './verdict';

const CLIENT = '127.0.0.1';
/** What is tried is what rules say; how long they may take is tried elsewhere. */
const budget = { ...defaultBudget, base: 60_000, most: 60_000 };

/** The engine in this process, behind the parser of the data door and before an origin that is a function. */
export class EngineTarget implements Target {
  private readonly program: Program;
  private exchanges = 0;

  constructor({ rules: folder, setup, paranoia }: RulesUnderTest) {
    const rules = compileRuleSet(ruleFiles(folder, setup));
    this.program = rules.adjusted({ paranoia: { detect: paranoia, block: paranoia }, variables: testSettings });
  }

  async observe(requests: readonly Buffer[]): Promise<Observation[]> {
    const observations: Observation[] = [];
    for (const bytes of requests) observations.push(this.exchange(bytes));
    return observations;
  }

  async close(): Promise<void> {
    return;
  }

  private exchange(bytes: Buffer): Observation {
    const request = readRequest(bytes);
    if (!request) return this.refused(bytes, 400);
    const refusal = judgedByIngress(request);
    // What the ingress refuses for more than its form has gone through the parser whole: its rules see it as it was read.
    return refusal ? this.refused(bytes, errors[refusal.code].http) : this.inspected(request);
  }

  /** Phases 1, 2 and 5 on what could be read. */
  private refused(bytes: Buffer, status: number): Observation {
    const transaction = this.begin();
    drain(transaction.requestHead({ ...readMalformed(bytes), clientAddress: CLIENT }));
    drain(transaction.requestBody({ raw: '' }));
    drain(transaction.finish());
    return { status, response: `HTTP/1.1 ${status}\r\n\r\n`, log: transaction.takeLogLines() };
  }

  private inspected(request: ReadRequest): Observation {
    const transaction = this.begin();
    drain(transaction.requestHead(factsOf(request)));
    drain(transaction.requestBody({ raw: request.body.toString('latin1') }));
    const answer = originAnswer(request.method, request.target, request.body);
    const fields = answer.headers.map(([name, value]) => ({ name, value: Buffer.from(value).toString('latin1') }));
    drain(transaction.responseHead({ status: answer.status, protocol: 'HTTP/1.1', fields }));
    transaction.responseChunk(answer.body.toString('latin1'));
    drain(transaction.responseEnd());
    drain(transaction.finish());
    return { status: answer.status, response: responseText(answer), log: transaction.takeLogLines() };
  }

  private begin() {
    const requestId = `test-${++this.exchanges}`;
    return this.program.begin({ mode: 'detect', requestId, now: () => performance.now(), budget, logLines: true });
  }
}

function judgedByIngress({ method, target, rawHeaders, httpVersion }: ReadRequest): Refusal | undefined {
  const raw = { method, target, rawHeaders, httpVersion, remoteAddress: CLIENT, encrypted: false };
  const head = canonicalRequest(raw, limits.head);
  return isRefusal(head) ? head : undefined;
}

function factsOf({ method, target, httpVersion, rawHeaders }: ReadRequest): RequestHeadFacts {
  const fields = Array.from({ length: rawHeaders.length / 2 }, (_, at) => ({
    name: rawHeaders[2 * at]!,
    value: rawHeaders[2 * at + 1]!,
  }));
  return { method, target, protocol: `HTTP/${httpVersion}`, fields, clientAddress: CLIENT };
}

function responseText({ status, headers, body }: OriginAnswer): string {
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return `HTTP/1.1 ${status}\r\n${lines}\r\n${body.toString('latin1')}`;
}
