// The standard requests for inspection. Every value is new in every request, as it is in life: what is remembered of values
// that were seen before must not make the figure.

/**
 * The authority of every request. Of an address with digits alone CRS 3.3.4 and 4.28.0 note (920350) that no browser sends it: then
 * each request would have a finding, and what is measured would be how findings are told.
 */
const host = 'shop.example';

/** Beside `host`. */
const browser = [
  ['user-agent', 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0'],
  ['accept', 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8'],
  ['accept-language', 'en-US,en;q=0.5'],
  ['accept-encoding', 'gzip, deflate, br'],
  ['referer', 'https://shop.example/catalogue'],
  ['sec-fetch-mode', 'navigate'],
  ['upgrade-insecure-requests', '1'],
];

const words =
  'amber basket candle delivery evening forest garden harbour island journey kettle lantern meadow needle orchard paper quarter river'.split(
    ' ',
  );

/** Values as people and programs write them; none is written twice in a run. */
class Values {
  constructor(seed) {
    this.state = Math.imul(seed + 1, 0x9e3779b1) >>> 0;
    this.made = 0;
  }

  /** xorshift32: enough to be new, and the same in every run. */
  number() {
    this.state ^= this.state << 13;
    this.state ^= this.state >>> 17;
    this.state ^= this.state << 5;
    return this.state >>> 0;
  }

  next() {
    const number = this.number();
    switch (this.made++ % 5) {
      case 0:
        return `${words[number % words.length]} ${number % 9973}`;
      case 1:
        return String(number % 1_000_000_000);
      case 2:
        // Of sixteen digits, not of all letters: among those a word such as xhtml comes up, which CRS 3.3.4 refuses.
        return number.toString(16).padStart(8, 'k');
      case 3:
        return `${words[(number >>> 8) % words.length]}${number % 997}`;
      default:
        return `${number % 10_000}.${10 + (number % 90)}`;
    }
  }
}

const names = ['id', 'name', 'code', 'unit', 'note', 'price', 'stock'];

/** Lines of an order: objects of seven members in an array. */
function order(leaves, values) {
  const lines = [];
  for (let left = leaves; left > 0; left -= names.length)
    lines.push(Object.fromEntries(names.slice(0, left).map((name) => [name, values.next()])));
  return JSON.stringify({ lines });
}

const fieldNames = ['q', 'page', 'sort', 'colour', 'price', 'brand', 'size', 'ref', 'lang', 'limit'];

function pairs(count, values) {
  const named = Array.from({ length: count }, (_, at) => [
    at < fieldNames.length ? fieldNames[at] : `field${at}`,
    values.next(),
  ]);
  return String(new URLSearchParams(named));
}

const post = (type, body) => ({
  method: 'POST',
  path: '/orders',
  host,
  fields: [...browser, ['content-type', type]],
  body,
});

/** By name: makes the request of a number, without what frames its body. */
export const standardRequests = {
  get10: (seed) => ({
    method: 'GET',
    path: `/orders?${pairs(10, new Values(seed))}`,
    host,
    fields: browser,
    body: undefined,
  }),
  json1k: (seed) => post('application/json', order(57, new Values(seed))),
  json10k: (seed) => post('application/json', order(549, new Values(seed))),
  form20: (seed) => post('application/x-www-form-urlencoded', pairs(20, new Values(seed))),
};
