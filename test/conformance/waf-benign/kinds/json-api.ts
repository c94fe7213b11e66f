import { browserFields, programFields } from '../clients';
import type { Kind } from '../generator';
import type { Random } from '../random';
import type { Vocabulary } from '../vocabulary';

/** A program or a page calls an API with JSON. */
export const jsonApi: Kind = (random, vocabulary) => {
  const [method, target, document, type = 'application/json'] = random.pick(calls)(random, vocabulary);
  const from = random.happens(40) ? browserFields(random) : programFields(random);
  return {
    profile: 'json-api',
    method,
    target,
    fields: document === undefined ? from : [...from, ['Content-Type', type]],
    body: document === undefined ? undefined : Buffer.from(JSON.stringify(document, null, random.happens(20) ? 2 : 0)),
  };
};

type Call = [method: string, target: string, document?: unknown, type?: string];

function address(random: Random, words: Vocabulary) {
  return {
    street: words.street(),
    city: words.city(),
    postcode: `SW1A ${random.int(9)}AA`,
    country: 'GB',
    default: true,
  };
}

function lines(random: Random, words: Vocabulary) {
  return random.times(1, 12, () => ({
    sku: `${random.pick(['A', 'B', 'LAMP'])}-${random.int(1000)}`,
    description: words.product(),
    quantity: random.between(1, 20),
    unit_price: { amount: random.int(100_000) / 100, currency: random.pick(['EUR', 'USD']) },
    gift: random.happens(20),
    note: random.happens(30) ? words.sentence() : null,
  }));
}

const calls: readonly ((random: Random, words: Vocabulary) => Call)[] = [
  (random, words) => [
    'POST',
    '/v1/orders',
    {
      customer: { id: random.uuid(), name: words.name(), email: words.email() },
      ship_to: address(random, words),
      lines: lines(random, words),
    },
  ],
  (random, words) => [
    'PUT',
    `/v1/customers/${random.uuid()}`,
    { name: words.name(), phone: words.phone(), address: address(random, words) },
  ],
  (random, words) => [
    'PATCH',
    `/v1/orders/${random.int(1e6)}`,
    [
      { op: 'replace', path: '/status', value: 'paid' },
      { op: 'add', path: '/notes/-', value: words.sentence() },
    ],
    'application/json-patch+json',
  ],
  (random) => ['DELETE', `/v1/orders/${random.uuid()}`],
  (random) => ['GET', `/odata/Items?$top=${random.int(50)}&$skip=20&$select=id,name&$orderby=name%20desc`],
  (random, words) => [
    'POST',
    '/v1/comments',
    { post: random.int(1e5), author: words.name(), text: words.text(1, 8), mentions: [] },
  ],
  (random, words) => [
    'POST',
    '/v1/search',
    {
      query: words.product(),
      filters: { price: { min: 0, max: random.int(500) }, in_stock: true, tags: ['new', 'sale'] },
      sort: [{ field: 'created_at', order: 'desc' }],
      page: { size: 20, after: random.hex(24) },
    },
  ],
  (random) => [
    'POST',
    '/v1/metrics',
    {
      series: random.times(1, 20, (at) => ({
        metric: `http.requests.${at}`,
        points: [[1760000000 + at, random.int(900)]],
        tags: ['env:prod', 'host:web-1'],
      })),
    },
  ],
  (random, words) => [
    'POST',
    '/hooks/repository',
    {
      ref: 'refs/heads/main',
      repository: { full_name: 'acme/shop', clone_url: 'https://git.example.org/acme/shop.git' },
      commits: random.times(1, 4, () => ({
        id: random.hex(40),
        message: `fix: ${words.sentence()}`,
        author: { name: words.name(), email: words.email() },
      })),
    },
  ],
  (_, words) => [
    'POST',
    '/v1/customers',
    {
      data: {
        type: 'customers',
        attributes: { 'first-name': words.givenName(), 'last-name': words.familyName() },
        relationships: { orders: { data: [] } },
      },
    },
    'application/vnd.api+json',
  ],
  (random, words) => [
    'POST',
    '/v1/events',
    {
      specversion: '1.0',
      id: random.uuid(),
      source: '/orders',
      type: 'org.example.order.created',
      time: random.moment(),
      data: { total: random.int(1e5), note: words.sentence() },
    },
    'application/cloudevents+json',
  ],
  (random, words) => [
    'POST',
    '/v1/mail',
    {
      to: [words.email()],
      subject: words.sentence(),
      text: words.text(2, 6),
      reply_to: null,
      send_at: random.moment(),
    },
  ],
  (random) => ['GET', `/v1/orders?expand[]=customer&expand[]=lines.product&created[gte]=${random.int(1e9)}&limit=100`],
  (random, words) => [
    'POST',
    '/v1/settings',
    {
      locale: 'de-DE',
      timezone: 'Europe/Berlin',
      format: { date: 'dd.MM.yyyy', number: '#,##0.00' },
      signature: words.text(1, 2),
      colours: { primary: `#${random.hex(6)}` },
    },
  ],
  (random) => [
    'POST',
    '/v1/sensors',
    random.times(5, 40, (at) => ({ t: 1760000000 + at, temperature: random.int(400) / 10, ok: true })),
  ],
];
