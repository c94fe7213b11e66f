import { isRefusal } from '@sallyport/contracts';
import { canonicalPath, REFUSED_ODDITIES } from './canonical-path';
import { judgeOddPath, refusedWithoutRoute, type TakesOddPaths } from './odd-path';
import { RouteTable } from './route-table';

const table = RouteTable.compile(['/', '/files', '/files/secret', '/admin'], (pathPrefix) => ({
  host: null,
  pathPrefix,
  methods: [],
}));

function verdict(raw: string, takes: Partial<TakesOddPaths> = {}): string {
  const canonical = canonicalPath(raw, REFUSED_ODDITIES);
  if ('fault' in canonical) return canonical.fault;
  const question = { host: 'a', method: 'GET', ...canonical };
  const match = table.match(question);
  if (isRefusal(match)) return match.code;
  const all: TakesOddPaths = { mergeSlashes: false, encodedSlash: 'refuse', takesParameters: true, ...takes };
  const refusal = judgeOddPath(question, table, match.route, all);
  return refusal ? String(refusal.params['reason']) : `${match.route} ${canonical.path}`;
}

const astray = 'the path leads to another route when it is read in another way';

describe('a path that origins read in different ways', () => {
  it.each([
    ['/files//a', {}, 'the path holds an empty segment'],
    ['/files//a', { mergeSlashes: true }, '/files /files/a'],
    ['//admin', { mergeSlashes: true }, '/admin /admin'],
    ['/files/a%2fb', {}, 'the path escapes a slash'],
    ['/files/a%2fb', { encodedSlash: 'keep' }, '/files /files/a%2Fb'],
    ['/files%2fsecret', { encodedSlash: 'keep' }, astray],
    ['/files/secret%2fx', { encodedSlash: 'keep' }, astray],
    ['/files/..%2fadmin', { encodedSlash: 'keep' }, 'the path holds a dot segment'],
    ['/files;v=1/a', {}, astray],
    ['/files/a;v=1', {}, '/files /files/a;v=1'],
    ['/files/a;v=1', { takesParameters: false }, 'a segment of the path has parameters'],
    ['/files/secret;x', {}, astray],
    ['/files/secret%3Bx', {}, astray],
    ['/files/secret%3Bx%2Fy', { encodedSlash: 'keep' }, astray],
    ['/files/a%3Bb', { takesParameters: false }, '/files /files/a%3Bb'],
    ['/admin;x', {}, astray],
  ] as const)('%s where %j is taken: %s', (raw, takes, expected) => {
    expect(verdict(raw, takes)).toBe(expected);
  });

  it('is refused where no route takes it', () => {
    expect(refusedWithoutRoute({ oddities: 1 })).toMatchObject({ code: 'REQUEST_MALFORMED' });
    expect(refusedWithoutRoute({ oddities: 2 })).toMatchObject({ code: 'REQUEST_MALFORMED' });
    expect(refusedWithoutRoute({ oddities: 4 })).toBeUndefined();
  });
});
