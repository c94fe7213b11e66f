import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { drain } from '../budget';
import type { Bytes } from '../bytes';
import { compileRuleSet } from '../compile';
import type { Hit } from '../inspector';
import { compilePlan } from '../plan';
import { builtInRules } from './built-in';

/** A request in one of several short forms; texts are characters, and go out as UTF-8. */
interface RequestVector {
  /** Value of an argument of the query. */
  readonly value?: string;
  /** Name of an argument of the query. */
  readonly name?: string;
  /** Name of a file in a form. */
  readonly file?: string;
  /** What somebody writes to a model. */
  readonly prompt?: string;
  /** What a tool has answered, as a model is told. */
  readonly toolResult?: string;
  /** What a model calls a tool with. */
  readonly toolArguments?: string;
  /** What the client calls itself. */
  readonly agent?: string;
  /** `METHOD target`, fields line by line, an empty line, the body. */
  readonly request?: string;
  /** Fields, by names in lower case, that are not sent. */
  readonly without?: readonly string[];
  /** Whether the route is strict about bodies. */
  readonly strict?: boolean;
}

interface RuleVectors {
  readonly hits: readonly RequestVector[];
  readonly passes: readonly RequestVector[];
}

const folder = join(__dirname, '../../testdata/rules');
const vectors = readdirSync(folder).flatMap((file) =>
  Object.entries(JSON.parse(readFileSync(join(folder, file), 'utf8')) as Record<string, RuleVectors>),
);

const set = compileRuleSet({ files: builtInRules('alone'), read: () => undefined });
const programs = {
  lenient: set.adjusted({ variables: { strict_bodies: '0' } }),
  strict: set.adjusted({ variables: { strict_bodies: '1' } }),
  prompts: set.adjusted({
    variables: { strict_bodies: '0', inspect_prompts: '1' },
    exclusions: compilePlan('llm:block').exclusions,
  }),
};

/** Rules that set up and sum up. */
const accounting = (id: number) => (id >= 7700900 && id < 7701000) || (id >= 1001900 && id < 1002000);

function textOf(vector: RequestVector): string {
  const { value, name, file, agent, request } = vector;
  if (isChat(vector)) return `POST /v1/chat/completions\nContent-Type: application/json\n\n${chatOf(vector)}`;
  if (value !== undefined) return `GET /?q=${escapeText(value)}`;
  if (name !== undefined) return `GET /?${escapeText(name)}=1`;
  if (agent !== undefined) return `GET /\nUser-Agent: ${agent}`;
  if (file === undefined) return request!;
  const disposition = `Content-Disposition: form-data; name="f"; filename="${file}"`;
  const part = `--b\r\n${disposition}\r\nContent-Type: application/octet-stream\r\n\r\nx\r\n--b--\r\n`;
  return `POST /\nContent-Type: multipart/form-data; boundary=b\n\n${part}`;
}

const isChat = ({ prompt, toolResult, toolArguments }: RequestVector) =>
  (prompt ?? toolResult ?? toolArguments) !== undefined;

function chatOf({ prompt, toolResult = '', toolArguments = '' }: RequestVector): string {
  const call = { id: 'call_1', type: 'function', function: { name: 'fetch', arguments: toolArguments } };
  const messages =
    prompt !== undefined
      ? [{ role: 'user', content: prompt }]
      : [
          { role: 'assistant', content: null, tool_calls: [call] },
          { role: 'tool', tool_call_id: 'call_1', content: toolResult },
        ];
  return JSON.stringify({ model: 'small', messages });
}

function escapeText(text: string): string {
  return [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
}

const usual = ['Host: shop.example.org', 'User-Agent: shop-client/1.0', 'Accept: */*'];

/** Lets the rules judge a request, without deciding. */
function judge(vector: RequestVector): { hits: readonly Hit[]; score: number } {
  const text = Buffer.from(textOf(vector)).toString('latin1');
  const end = text.indexOf('\n\n');
  const [line = '', ...own] = (end < 0 ? text : text.slice(0, end)).split('\n');
  const [method = '', target = ''] = line.split(' ');
  const raw: Bytes = end < 0 ? '' : text.slice(end + 2);
  const given = own.map(fieldOf);
  const fields = [...usual.map(fieldOf).filter(({ name }) => !given.some((field) => field.name === name)), ...given];
  const sent = fields.filter(({ name }) => !vector.without?.includes(name.toLowerCase()));
  const transaction = programs[isChat(vector) ? 'prompts' : vector.strict ? 'strict' : 'lenient'].begin({
    mode: 'detect',
    requestId: 'r',
    now: () => 0,
  });
  drain(transaction.requestHead({ method, target, protocol: 'HTTP/1.1', fields: sent, clientAddress: '192.0.2.1' }));
  drain(transaction.requestBody({ raw }));
  return { hits: transaction.takeHits(), score: transaction.scores.inbound.blocking };
}

function fieldOf(line: string): { name: Bytes; value: Bytes } {
  const colon = line.indexOf(':');
  return { name: line.slice(0, colon), value: line.slice(colon + 1).trim() };
}

describe.each(vectors)('rule %s', (id, { hits, passes }) => {
  it.each(hits.map((vector) => [JSON.stringify(vector), vector] as const))('finds %s', (_, vector) => {
    expect(judge(vector).hits.map((hit) => String(hit.rule))).toContain(id);
  });

  it.each(passes.map((vector) => [JSON.stringify(vector), vector] as const))('lets pass %s', (_, vector) => {
    expect(
      judge(vector)
        .hits.filter((hit) => !accounting(hit.rule))
        .map((hit) => hit.rule),
    ).toEqual([]);
  });
});

describe('the built-in rules', () => {
  it('have requests that they find and requests that they let pass, each of them', () => {
    const tried = vectors
      .filter(([, { hits, passes }]) => hits.length > 0 && passes.length > 0)
      .map(([id]) => Number(id));
    const rules = set.rules.map(({ id }) => id).filter((id) => !accounting(id));
    expect(tried.sort()).toEqual(rules.sort());
  });

  it('stand on their page, each with what it finds', () => {
    const page = readFileSync(join(__dirname, '../../../../docs/reference/built-in-rules.md'), 'utf8');
    const missing = set.cards.filter(({ id, message }) => !accounting(id) && !page.includes(`| ${id} | ${message} |`));
    expect(missing.map(({ id }) => id)).toEqual([]);
  });

  it('bear ids of our own', () => {
    const own = (id: number) => (id >= 7_700_000 && id < 7_800_000) || (id >= 1_001_000 && id < 1_002_000);
    for (const { id } of set.rules) expect(own(id)).toBe(true);
  });

  it('need no data file', () => {
    const read = jest.fn(() => undefined);
    compileRuleSet({ files: builtInRules('alone'), read });
    compileRuleSet({ files: builtInRules('crs'), read });
    expect(read).not.toHaveBeenCalled();
  });

  it('look at nothing in phase 1 beside the CRS, which clears its scores there', () => {
    const phases = compileRuleSet({ files: builtInRules('crs'), read: () => undefined }).rules.map(
      ({ phase }) => phase,
    );
    expect(new Set(phases)).toEqual(new Set([2]));
  });
});
