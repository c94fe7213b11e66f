/** One message that says something else than it should, or says it in another way. */
export interface Mutation {
  readonly name: string;
  /** Makes the bytes; `path` tells this message from all others. */
  bytes(path: string): string;
}

const HOST = 'Host: a\r\n';
const BODY = 'abc';
const CHUNKS = '3\r\nabc\r\n0\r\n\r\n';
/** What a smuggler would like to be a request of its own. */
const HIDDEN = (path: string) => `GET /open/hidden${path} HTTP/1.1\r\nHost: a\r\n\r\n`;

const byte = (code: number) => String.fromCharCode(code);
const hex = (text: string) =>
  text.replace(/[^\x21-\x7e]/g, (one) => `<${one.charCodeAt(0).toString(16).padStart(2, '0')}>`);
const post = (path: string, fields: string, body: string, version = 'HTTP/1.1') =>
  `POST ${path} ${version}\r\n${HOST}${fields}\r\n${body}`;

/** Every byte that is no letter, digit or hyphen. */
const ODD_BYTES = Array.from({ length: 256 }, (_, code) => code)
  .filter((code) => !/[A-Za-z0-9-]/.test(byte(code)))
  .map(byte);
const CONTROLS = ODD_BYTES.filter((one) => one < ' ' || one === '\x7f');
const FRAMING = ['Content-Length', 'Transfer-Encoding', 'Host', 'Connection'] as const;
const SPACES = [' ', '\t', '  ', ' \t', '\v', '\f', '\r', '\x00', '\xa0', '\x85', '\x1c'];
const LINE_ENDS = [
  '\n',
  '\r',
  '\r\r\n',
  '\n\r',
  '\r\n\n',
  '\n\n',
  '\x0b\r\n',
  '\x85',
  '\u00a0\r\n',
  '\r\n\r',
  '\x00\r\n',
];

const valueOf = (name: (typeof FRAMING)[number]) =>
  ({ 'Content-Length': '3', 'Transfer-Encoding': 'chunked', Host: 'a', Connection: 'close' })[name];
const bodyOf = (name: string) => (name === 'Transfer-Encoding' ? CHUNKS : name === 'Content-Length' ? BODY : '');

/** A message with one field written as given, in the place of its proper one. */
function withField(name: (typeof FRAMING)[number], written: string) {
  return (path: string) =>
    name === 'Host'
      ? `POST ${path} HTTP/1.1\r\n${written}Content-Length: 3\r\n\r\n${BODY}`
      : `POST ${path} HTTP/1.1\r\n${HOST}${written}\r\n${bodyOf(name)}${HIDDEN(path)}`;
}

function* names(): Iterable<Mutation> {
  for (const name of FRAMING) {
    for (const odd of ODD_BYTES) {
      for (const [place, at] of [
        ['before', 0],
        ['inside', 4],
        ['behind', name.length],
      ] as const) {
        const written = `${name.slice(0, at)}${odd}${name.slice(at)}`;
        yield { name: `${hex(odd)} ${place} ${name}`, bytes: withField(name, `${written}: ${valueOf(name)}\r\n`) };
      }
    }
    for (const written of [
      name.toLowerCase(),
      name.toUpperCase(),
      `X-${name}`,
      `${name}x`,
      name.replace('-', ''),
      name.replace('-', '_'),
    ]) {
      yield { name: `${name} as ${written}`, bytes: withField(name, `${written}: ${valueOf(name)}\r\n`) };
    }
  }
}

function* values(): Iterable<Mutation> {
  for (const name of FRAMING) {
    for (const odd of ODD_BYTES) {
      const value = valueOf(name);
      yield { name: `${hex(odd)} before the value of ${name}`, bytes: withField(name, `${name}: ${odd}${value}\r\n`) };
      yield { name: `${hex(odd)} behind the value of ${name}`, bytes: withField(name, `${name}: ${value}${odd}\r\n`) };
    }
  }
  const lengths = [
    '',
    '+3',
    '-3',
    '03',
    '003',
    '3.',
    '3.0',
    '.3',
    '3e0',
    '0x3',
    '0b11',
    '0o3',
    '3,3',
    '3, 3',
    '3,4',
    '3 3',
    '3;',
    '"3"',
    '３',
    '3abc',
    'abc',
    '٣',
    '1_0',
    "3'",
    '(3)',
    '18446744073709551619',
    '9'.repeat(40),
    '4294967299',
    '-0',
    '+0',
    '0',
    'NaN',
    'null',
    '3\t',
    '3\x00',
  ];
  for (const length of lengths)
    yield { name: `length ${hex(length)}`, bytes: withField('Content-Length', `Content-Length: ${length}\r\n`) };
  const codings = [
    '',
    'identity',
    'gzip',
    'gzip, chunked',
    'chunked, gzip',
    'chunked, chunked',
    'chunked,',
    ',chunked',
    'chunked;',
    'chunked;a=b',
    'chunked; q=1',
    '"chunked"',
    "'chunked'",
    'CHUNKED',
    'Chunked',
    'cHuNkEd',
    'xchunked',
    'chunkedx',
    'chunked identity',
    'chunked\x00',
    'chu nked',
    'chu\tnked',
    'chunke',
    '\x0bchunked',
    '[chunked]',
    'x',
    'compress',
    'deflate',
    'trailers',
    'ｃhunked',
    'chunKed',
    'chun\u212aed',
  ];
  for (const coding of codings) {
    yield { name: `coding ${hex(coding)}`, bytes: withField('Transfer-Encoding', `Transfer-Encoding: ${coding}\r\n`) };
    yield {
      name: `coding ${hex(coding)} beside a length`,
      bytes: withField('Transfer-Encoding', `Content-Length: 3\r\nTransfer-Encoding: ${coding}\r\n`),
    };
    yield {
      name: `coding ${hex(coding)} before a length`,
      bytes: withField('Transfer-Encoding', `Transfer-Encoding: ${coding}\r\nContent-Length: 3\r\n`),
    };
    yield {
      name: `coding ${hex(coding)} on HTTP/1.0`,
      bytes: (path) => post(path, `Transfer-Encoding: ${coding}\r\n`, CHUNKS, 'HTTP/1.0'),
    };
  }
}

function* spacing(): Iterable<Mutation> {
  for (const name of FRAMING) {
    for (const space of SPACES) {
      const value = valueOf(name);
      yield {
        name: `${hex(space)} before the colon of ${name}`,
        bytes: withField(name, `${name}${space}: ${value}\r\n`),
      };
      yield {
        name: `${hex(space)} in the place of the colon of ${name}`,
        bytes: withField(name, `${name}${space}${value}\r\n`),
      };
      yield {
        name: `${hex(space)} alone behind the colon of ${name}`,
        bytes: withField(name, `${name}:${space}${value}\r\n`),
      };
      yield {
        name: `${hex(space)} in front of the line of ${name}`,
        bytes: withField(name, `${space}${name}: ${value}\r\n`),
      };
      yield {
        name: `${hex(space)} at the end of the line of ${name}`,
        bytes: withField(name, `${name}: ${value}${space}\r\n`),
      };
      yield { name: `${name} folded with ${hex(space)}`, bytes: withField(name, `${name}:\r\n${space}${value}\r\n`) };
      yield {
        name: `a field folded with ${hex(space)} before ${name}`,
        bytes: withField(name, `X-A: b\r\n${space}c\r\n${name}: ${value}\r\n`),
      };
    }
  }
  for (const space of SPACES) {
    yield {
      name: `${hex(space)} behind the method`,
      bytes: (path) => `POST${space}${path} HTTP/1.1\r\n${HOST}Content-Length: 3\r\n\r\n${BODY}`,
    };
    yield {
      name: `${hex(space)} behind the target`,
      bytes: (path) => `POST ${path}${space}HTTP/1.1\r\n${HOST}Content-Length: 3\r\n\r\n${BODY}`,
    };
    yield {
      name: `${hex(space)} before the method`,
      bytes: (path) => `${space}POST ${path} HTTP/1.1\r\n${HOST}Content-Length: 3\r\n\r\n${BODY}`,
    };
    yield {
      name: `${hex(space)} behind the version`,
      bytes: (path) => `POST ${path} HTTP/1.1${space}\r\n${HOST}Content-Length: 3\r\n\r\n${BODY}`,
    };
    yield {
      name: `${hex(space)} before the body`,
      bytes: (path) => `POST ${path} HTTP/1.1\r\n${HOST}Content-Length: 3\r\n${space}\r\n${BODY}`,
    };
  }
}

function* lineEnds(): Iterable<Mutation> {
  for (const end of LINE_ENDS) {
    for (const name of FRAMING) {
      yield { name: `${name} ended by ${hex(end)}`, bytes: withField(name, `${name}: ${valueOf(name)}${end}`) };
      yield {
        name: `${hex(end)} within the value of ${name}`,
        bytes: withField(name, `X-A: b${end}${name}: ${valueOf(name)}\r\n`),
      };
    }
    yield {
      name: `the request line ended by ${hex(end)}`,
      bytes: (path) => `POST ${path} HTTP/1.1${end}${HOST}Content-Length: 3\r\n\r\n${BODY}`,
    };
    yield {
      name: `the head ended by ${hex(end)}`,
      bytes: (path) => `POST ${path} HTTP/1.1\r\n${HOST}Content-Length: 3\r\n${end}${BODY}`,
    };
    yield {
      name: `all lines ended by ${hex(end)}`,
      bytes: (path) => `POST ${path} HTTP/1.1${end}Host: a${end}Content-Length: 3${end}${end}${BODY}`,
    };
    for (const [place, chunks] of [
      ['size', `3${end}abc\r\n0\r\n\r\n`],
      ['data', `3\r\nabc${end}0\r\n\r\n`],
      ['last size', `3\r\nabc\r\n0${end}\r\n`],
      ['trailer', `3\r\nabc\r\n0\r\nX-A: b${end}\r\n`],
      ['whole', `3\r\nabc\r\n0\r\n${end}`],
    ] as const) {
      yield {
        name: `chunk ${place} ended by ${hex(end)}`,
        bytes: (path) => post(path, 'Transfer-Encoding: chunked\r\n', `${chunks}${HIDDEN(path)}`),
      };
    }
  }
}

function* duplicates(): Iterable<Mutation> {
  const framings = [
    'Content-Length: 3',
    'Content-Length: 0',
    'Content-Length: 4',
    'content-length: 3',
    'Transfer-Encoding: chunked',
    'Transfer-Encoding: identity',
    'Transfer-Encoding: x',
    'transfer-encoding: chunked',
    'Content_Length: 3',
    'Content-Length : 3',
    'Transfer-Encoding:\tchunked',
    'Transfer-Encoding: \x0bchunked',
  ];
  for (const first of framings) {
    for (const second of framings) {
      for (const body of [BODY, CHUNKS]) {
        yield {
          name: `${hex(first)} then ${hex(second)} before ${body === BODY ? 'bytes' : 'chunks'}`,
          bytes: (path) => post(path, `${first}\r\n${second}\r\n`, `${body}${HIDDEN(path)}`),
        };
      }
    }
  }
  for (const hosts of [
    'Host: a\r\nHost: a\r\n',
    'Host: a\r\nhost: b\r\n',
    'Host: a, b\r\n',
    'Host: a\r\nX: y\r\nHost: a\r\n',
    'Host:\r\nHost: a\r\n',
    '',
  ]) {
    yield { name: `hosts ${hex(hosts)}`, bytes: (path) => `GET ${path} HTTP/1.1\r\n${hosts}\r\n` };
  }
}

function* versions(): Iterable<Mutation> {
  for (const version of [
    'HTTP/0.9',
    'HTTP/1.2',
    'HTTP/1.10',
    'HTTP/01.1',
    'HTTP/1.01',
    'HTTP/1,1',
    'HTTP/1',
    'HTTP/1.',
    'HTTP/.1',
    'HTTP/2',
    'HTTP/2.0',
    'HTTP/3.0',
    'http/1.1',
    'Http/1.1',
    'HTTP /1.1',
    'HTTP/ 1.1',
    'HTTP/1 .1',
    'HTTP/1.1x',
    'HTTP/1.1.1',
    'HTTP/11',
    'HTTP/-1.1',
    'HTTP/+1.1',
    'HTTPS/1.1',
    'ICY/1.1',
    'RTSP/1.0',
    'HTTP/9.9',
    'HTTP\\1.1',
    '',
    'HTTP/1.1 HTTP/1.1',
    '\x00',
    'HTTP/1.1\x00',
  ]) {
    yield {
      name: `version ${hex(version)}`,
      bytes: (path) => post(path, 'Content-Length: 3\r\n', `${BODY}${HIDDEN(path)}`, version),
    };
  }
  for (const method of [
    'post',
    'Post',
    'POSTX',
    'P\x00ST',
    'PRI',
    'PROPFIND',
    'MOVE',
    '',
    '-',
    'POST\x0b',
    '"POST"',
    'M-SEARCH',
    'TRACE',
    'CONNECT',
  ]) {
    yield {
      name: `method ${hex(method)}`,
      bytes: (path) => `${method} ${path} HTTP/1.1\r\n${HOST}Content-Length: 3\r\n\r\n${BODY}`,
    };
  }
}

function* chunkSyntax(): Iterable<Mutation> {
  const sizes = [
    '3',
    '03',
    '0003',
    '0'.repeat(40) + '3',
    '0x3',
    '0X3',
    'x3',
    '+3',
    '-3',
    '3 ',
    ' 3',
    '3\t',
    '\t3',
    '3;',
    '3;a',
    '3;a=b',
    '3;a="b"',
    '3; a=b',
    '3 ;a=b',
    '3;a="b\r\n',
    '3;\x00',
    '3;\x7f',
    '3;a=\xff',
    '3,',
    '3.0',
    '3e0',
    '3h',
    'g',
    '',
    ' ',
    '٣',
    '３',
    '3_',
    "3'",
    '3\x00',
    '3\x0b',
    '3\r',
    '3\n',
    '2',
    '4',
    '5',
    'ffffffffffffffff',
    '10000000000000003',
    '8000000000000003',
    '-0',
    '+0',
    `3;${'a'.repeat(2_000)}`,
    `3;${'a'.repeat(20_000)}`,
  ];
  for (const size of sizes) {
    yield {
      name: `chunk size ${hex(size).slice(0, 40)}`,
      bytes: (path) => post(path, 'Transfer-Encoding: chunked\r\n', `${size}\r\nabc\r\n0\r\n\r\n${HIDDEN(path)}`),
    };
    yield {
      name: `second chunk size ${hex(size).slice(0, 40)}`,
      bytes: (path) =>
        post(path, 'Transfer-Encoding: chunked\r\n', `3\r\nabc\r\n${size}\r\nabc\r\n0\r\n\r\n${HIDDEN(path)}`),
    };
  }
  for (const last of ['0', '00', '0000', '0;a=b', '0 ', '-0', '+0', '0x0', '', ' 0', '0\x00', '0;\n']) {
    yield {
      name: `last chunk ${hex(last)}`,
      bytes: (path) => post(path, 'Transfer-Encoding: chunked\r\n', `3\r\nabc\r\n${last}\r\n\r\n${HIDDEN(path)}`),
    };
  }
  for (const control of CONTROLS) {
    yield {
      name: `${hex(control)} in a chunk extension`,
      bytes: (path) =>
        post(path, 'Transfer-Encoding: chunked\r\n', `3;a${control}b\r\nabc\r\n0\r\n\r\n${HIDDEN(path)}`),
    };
    yield {
      name: `${hex(control)} behind a chunk`,
      bytes: (path) => post(path, 'Transfer-Encoding: chunked\r\n', `3\r\nabc${control}\r\n0\r\n\r\n${HIDDEN(path)}`),
    };
    yield {
      name: `${hex(control)} in a trailer`,
      bytes: (path) =>
        post(path, 'Transfer-Encoding: chunked\r\n', `3\r\nabc\r\n0\r\nX-A: b${control}c\r\n\r\n${HIDDEN(path)}`),
    };
  }
  for (const trailer of [
    'Content-Length: 3',
    'Transfer-Encoding: chunked',
    'Host: b',
    ': x',
    'X_A: b',
    ' X-A: b',
    'X-A',
    'X-A : b',
    'Authorization: Bearer good',
  ]) {
    yield {
      name: `trailer ${hex(trailer)}`,
      bytes: (path) =>
        post(path, 'Transfer-Encoding: chunked\r\n', `3\r\nabc\r\n0\r\n${trailer}\r\n\r\n${HIDDEN(path)}`),
    };
  }
}

/** All of them, each under a name of its own. */
export function mutations(): Mutation[] {
  return [...names(), ...values(), ...spacing(), ...lineEnds(), ...duplicates(), ...versions(), ...chunkSyntax()];
}
