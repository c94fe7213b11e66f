import { browserFields } from '../clients';
import type { Kind } from '../generator';
import type { Random } from '../random';
import type { Vocabulary } from '../vocabulary';

type Form = Record<string, string>;

/** Somebody fills in a form. */
export const form: Kind = (random, vocabulary) => {
  const [target, fields] = random.pick(forms)(random, vocabulary);
  return {
    profile: 'form',
    method: 'POST',
    target,
    fields: [
      ...browserFields(random),
      [
        'Content-Type',
        random.pick(['application/x-www-form-urlencoded', 'application/x-www-form-urlencoded; charset=UTF-8']),
      ],
      ['Origin', 'https://shop.example.org'],
    ],
    body: Buffer.from(new URLSearchParams(fields).toString()),
  };
};

const forms: readonly ((random: Random, words: Vocabulary) => [target: string, fields: Form])[] = [
  (random, words) => [
    '/login',
    { email: words.email(), password: words.password(), remember: 'on', csrf: random.hex(32) },
  ],
  (random, words) => [
    '/register',
    {
      given_name: words.givenName(),
      family_name: words.familyName(),
      email: words.email(),
      phone: words.phone(),
      birthday: random.day(),
      password: words.password(),
      newsletter: random.pick(['yes', 'no']),
    },
  ],
  (random, words) => [
    '/checkout/address',
    {
      name: words.name(),
      street: words.street(),
      city: words.city(),
      zip: String(random.between(10_000, 99_999)),
      country: random.pick(['GB', 'DE', 'Côte d’Ivoire', 'US']),
      note: words.sentence(),
    },
  ],
  (random, words) => [
    '/contact',
    { name: words.name(), subject: words.product(), message: words.text(1, 6), topic: random.pick(['order', 'other']) },
  ],
  (random, words) => [
    '/reviews',
    { product: words.slug(), stars: String(random.between(1, 5)), title: words.sentence(), text: words.text(2, 5) },
  ],
  (random) => [
    '/oauth/token',
    {
      grant_type: 'authorization_code',
      code: random.hex(40),
      redirect_uri: 'http://localhost:3000/callback',
      client_id: random.uuid(),
      code_verifier: random.hex(64),
    },
  ],
  (random, words) => [
    '/cart',
    Object.fromEntries(
      random
        .times(1, 8, (at) => [`items[${at}][quantity]`, String(random.between(1, 9))])
        .concat([
          ['coupon', 'SPRING-20%'],
          ['comment', words.sentence()],
        ]),
    ),
  ],
  (random) => [
    '/webhooks/sms',
    { MessageSid: `SM${random.hex(32)}`, From: '+14155550123', To: '+442079460958', Body: 'STOP' },
  ],
  (random, words) => [
    '/booking',
    {
      arrival: random.day(),
      departure: random.day(),
      guests: '2',
      rooms: '1',
      wishes: words.text(0, 3),
      'g-recaptcha-response': random.hex(80),
    },
  ],
];
