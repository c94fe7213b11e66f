import { browserFields } from '../clients';
import type { Kind } from '../generator';
import type { Random } from '../random';
import type { Vocabulary } from '../vocabulary';

/** A browser asks for a page, a list or a search. */
export const page: Kind = (random, vocabulary) => ({
  profile: random.pick(['form', 'structural']),
  method: random.happens(90) ? 'GET' : 'HEAD',
  target: random.pick(targets)(random, vocabulary),
  fields: browserFields(random),
  body: undefined,
});

const targets: readonly ((random: Random, vocabulary: Vocabulary) => string)[] = [
  (random, words) =>
    `/products/${words.slug()}?colour=${random.pick(['red', 'bleu%20clair', '%23ff00aa'])}&size=${random.int(50)}`,
  (_, words) => `/search?q=${encodeURIComponent(words.product()).replaceAll('%20', '+')}&sort=price_asc`,
  (_, words) => `/search?${new URLSearchParams({ q: words.sentence(), lang: 'en' }).toString()}`,
  (random) => `/orders?from=${random.day()}&to=${random.day()}&status[]=open&status[]=paid&page=${random.int(40)}`,
  (random) => `/orders/${random.uuid()}`,
  (random, words) =>
    `/customers?filter=${encodeURIComponent(`name eq '${words.givenName()}' and total gt ${random.int(900)}`)}`,
  (random) => `/callback?code=${random.hex(40)}&state=${random.bytes(12).toString('base64url')}`,
  (random) =>
    `/oauth/authorize?response_type=code&client_id=${random.hex(8)}&redirect_uri=${encodeURIComponent(
      'https://app.example.org/cb?x=1',
    )}&scope=openid%20profile%20email&code_challenge=${random.hex(43)}&code_challenge_method=S256`,
  (random) =>
    `/track?utm_source=newsletter&utm_medium=e-mail&utm_campaign=spring_${random.int(9)}&gclid=${random.hex(40)}`,
  (random) => `/map?bbox=${random.int(90)}.${random.int(999)},-${random.int(90)}.5,51.5,0.12&zoom=${random.int(18)}`,
  (random) => `/static/js/main.${random.hex(8)}.chunk.js`,
  () => '/.well-known/openid-configuration',
  (random) => `/calendar/${random.day()}?tz=Europe%2FBerlin&view=week`,
  (_, words) => `/people/${encodeURIComponent(words.name())}`,
  (random) => `/reports?columns=id,name,total&group=month&having=${random.int(5)}&limit=10&offset=${random.int(90)}`,
];
