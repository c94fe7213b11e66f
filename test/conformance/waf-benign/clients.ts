import type { Random } from './random';

type Fields = readonly (readonly [name: string, value: string])[];

const browsers: readonly string[] = [
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36',
  'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Safari/605.1.15',
  'Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0',
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1',
  'Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Mobile Safari/537.36',
];

const programs: readonly string[] = [
  'python-requests/2.32.5',
  'python-httpx/0.28.1',
  'okhttp/5.1.0',
  'Go-http-client/1.1',
  'axios/1.12.2',
  'node',
  'curl/8.16.0',
  'PostmanRuntime/7.46.1',
  'Java/21.0.8',
  'Apache-HttpClient/5.5 (Java/21.0.8)',
  'OpenAI/Python 2.3.0',
  'Anthropic/JS 0.65.0',
  'shop-mobile/4.12.0 (iOS 18.6; iPhone16,2)',
];

const languages = [
  'en-GB,en;q=0.9',
  'de-DE,de;q=0.9,en-US;q=0.8,en;q=0.7',
  'fr',
  'ja,en-US;q=0.7',
  'pt-BR,pt;q=0.8,en;q=0.5',
];

/** Fields of a browser. */
export function browserFields(random: Random): Fields {
  return [
    ['User-Agent', random.pick(browsers)],
    [
      'Accept',
      random.pick([
        'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8',
        'application/json, text/plain, */*',
      ]),
    ],
    ['Accept-Language', random.pick(languages)],
    ['Accept-Encoding', 'gzip, deflate, br, zstd'],
    [
      'Referer',
      `https://shop.example.org/${random.pick(['', 'search?q=lamps+%26+bulbs', 'orders/2025?page=2#top', 'de/k%C3%BCche'])}`,
    ],
    ['Cookie', cookies(random)],
    ['Sec-Fetch-Site', 'same-origin'],
    ['Sec-CH-UA', '"Chromium";v="141", "Not?A_Brand";v="8"'],
    ...(random.happens(30) ? ([['X-Requested-With', 'XMLHttpRequest']] as const) : []),
  ];
}

/** Fields of a program that calls an API. */
export function programFields(random: Random): Fields {
  return [
    ['User-Agent', random.pick(programs)],
    ['Accept', random.pick(['*/*', 'application/json', 'application/json, text/event-stream'])],
    ['Accept-Encoding', random.pick(['gzip, deflate', 'gzip', 'identity'])],
    ['Authorization', authorization(random)],
    ...(random.happens(50) ? ([['X-Request-Id', random.uuid()]] as const) : []),
    ...(random.happens(20) ? ([['traceparent', `00-${random.hex(32)}-${random.hex(16)}-01`]] as const) : []),
    ...(random.happens(20) ? ([['Idempotency-Key', random.uuid()]] as const) : []),
  ];
}

function authorization(random: Random): string {
  const part = (count: number) => random.bytes(count).toString('base64url');
  return random.pick([
    `Bearer eyJhbGciOiJFUzI1NiJ9.${part(60)}.${part(64)}`,
    `Bearer sk-${random.hex(32)}`,
    `Basic ${Buffer.from(`client:${random.hex(12)}`).toString('base64')}`,
  ]);
}

function cookies(random: Random): string {
  return [
    `session=${random.hex(32)}`,
    `theme=${random.pick(['dark', 'light'])}`,
    `_ga=GA1.1.${random.int(1e9)}.${random.int(1e9)}`,
    `consent=%7B%22necessary%22%3Atrue%2C%22statistics%22%3A${random.pick(['true', 'false'])}%7D`,
    `lang=${random.pick(['en', 'de', 'pt-BR'])}`,
    `cart=${random.bytes(10).toString('base64')}`,
  ]
    .filter(() => random.happens(70))
    .concat(`seen=${random.int(100)}`)
    .join('; ');
}
