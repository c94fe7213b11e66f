import fc from 'fast-check';
import { describeFault, formatDeclarative, nearestName, parseDeclarative } from './index';

const orders = `sallyport: 1
services:
  - name: orders
    upstream: { targets: [{ url: https://orders.internal }], timeout: 5s }
    policies: [{ rate-limit: { limit: 100, window: 60s, by: consumer } }, house-limits]
models:
  - { name: smart, fallback: [{ provider: openai, model: gpt-5 }] }
accounts: [{ name: openai-main, provider: openai, key: "\${env:OPENAI_API_KEY}" }]
`;

async function faultsOf(text: string): Promise<string[]> {
  const { faults } = await parseDeclarative(text);
  return faults.map((fault) => describeFault('orders.yaml', fault));
}

describe('a configuration file', () => {
  it('is read with the defaults of what it leaves out', async () => {
    const { document } = await parseDeclarative(orders);
    expect(document?.services[0]).toMatchObject({ kind: 'rest', version: 'v1', class: 'public', routes: [] });
    expect(document?.services[0]?.auth).toEqual({ anonymous: false, kinds: ['api-key', 'jwt'], trust: [], scopes: [] });
    expect(document?.upstreams).toEqual([]);
  });

  it('names line, column, pointer and the nearest known member of a mistyped one', async () => {
    expect(await faultsOf(orders.replace('upstream:', 'upstrem:'))).toEqual([
      'orders.yaml:4:5 /services/0/upstrem: unknown member “upstrem”; did you mean “upstream”?',
    ]);
    expect(await faultsOf(orders.replace('models:', 'model:'))).toEqual([
      'orders.yaml:6:1 /model: unknown member “model”; did you mean “models”?',
    ]);
  });

  it('finds a mistyped member inside one branch of a union', async () => {
    expect(await faultsOf(orders.replace('url: https', 'ulr: https'))).toEqual(
      expect.arrayContaining([
        'orders.yaml:4:29 /services/0/upstream/targets/0/ulr: unknown member “ulr”; did you mean “url”?',
      ]),
    );
  });

  it('names the value nearest to a mistyped one', async () => {
    const faults = await faultsOf(orders.replace('- name: orders', '- name: orders\n    class: pubic'));
    expect(faults).toEqual([
      expect.stringMatching(/^orders\.yaml:4:5 \/services\/0\/class: .*did you mean “public”\?$/),
    ]);
  });

  it('reports every fault at once', async () => {
    expect(await faultsOf('sallyport: 2\nservices: [{ nam: a }]\n')).toHaveLength(3);
  });

  it('refuses a secret where only a reference may stand', async () => {
    const faults = await faultsOf(orders.replace('${env:OPENAI_API_KEY}', 'sk-plain'));
    expect(faults).toEqual(['orders.yaml:8:51 /accounts/0/key: write ${env:NAME} or ${file:/path}']);
  });

  it('refuses a credential inside a URL, and paths with more than one spelling', async () => {
    expect(await faultsOf(orders.replace('https://orders', 'https://user:secret@orders'))).toHaveLength(1);
    for (const path of [
      'orders',
      '/orders/',
      '//orders',
      '/a/../b',
      '/./a',
      '/a%2fb',
      '/%41',
      '/a%7E',
      '/a b',
      '/a?x',
    ]) {
      expect(await faultsOf(orders.replace('- name: orders', `- name: orders\n    path: "${path}"`))).toHaveLength(1);
    }
  });

  it('refuses the name of a model that no receipt could hold', async () => {
    const unstorable = 'a text holds a character that cannot be stored';
    for (const [model, fault] of [
      ['gpt\\u0000', unstorable],
      ['gpt\\ud800', unstorable],
      ['gpt\\n5', 'write plain text'],
    ]) {
      const faults = await faultsOf(orders.replace('model: gpt-5', `model: "${model}"`));
      expect(faults).toEqual([expect.stringContaining(`/models/0/fallback/0/model: ${fault}`)]);
    }
    expect(await faultsOf(orders.replace('model: gpt-5', 'model: "accounts/é 模型:5"'))).toEqual([]);
  });

  it('refuses a credential where keys are fetched', async () => {
    const entry = (url: string) => `sallyport: 1\ntrust: [{ name: a, issuer: b, audiences: [c], jwksUrl: "${url}" }]\n`;
    expect(await faultsOf(entry('https://user:secret@id.example/jwks'))).toEqual([
      'orders.yaml:2:47 /trust/0/jwksUrl: the URL of keys has no credential',
    ]);
    expect(await faultsOf(entry('https://id.example/jwks?tenant=a'))).toEqual([]);
    expect(await faultsOf(entry('nowhere'))).toHaveLength(1);
  });

  it('reports broken YAML with its line', async () => {
    expect((await parseDeclarative('sallyport: 1\nservices: [')).faults[0]).toMatchObject({ line: 2 });
  });

  it('refuses the same name twice in one list', async () => {
    const twice = orders.replace('accounts: [', 'accounts: [{ name: openai-main, provider: openai }, ');
    expect(await faultsOf(twice)).toEqual(['orders.yaml:8:55 /accounts/1/name: “openai-main” stands here twice']);
  });

  it('refuses the same member twice', async () => {
    expect((await parseDeclarative('sallyport: 1\nsallyport: 1\n')).faults).toHaveLength(1);
  });

  it('refuses an alias bomb and nesting beyond the stack without falling over', async () => {
    const bomb = [
      'a: &a [x,x,x,x,x,x,x,x,x]',
      ...'bcdefghi'.split('').map((letter, index) => {
        const last = 'abcdefgh'[index]!;
        return `${letter}: &${letter} [${Array(9).fill(`*${last}`).join(',')}]`;
      }),
    ].join('\n');
    expect((await parseDeclarative(bomb)).faults).toHaveLength(1);
    expect((await parseDeclarative('['.repeat(100_000))).faults.length).toBeGreaterThan(0);
  });

  it('refuses a tag or a directive that would be passed over', async () => {
    expect(await faultsOf('sallyport: 1\nconsumers: [{ name: !secret shop }]\n')).toEqual([
      'orders.yaml:2:21 /: Unresolved tag: !secret',
    ]);
    expect(await faultsOf('%SALLYPORT 2\n---\nsallyport: 1\n')).toHaveLength(1);
  });

  it('refuses at its place what can be kept nowhere, and what holds itself', async () => {
    const lone = orders.replace('- name: orders', '- name: orders\n    description: "\\ud800"');
    expect(await faultsOf(lone)).toEqual([
      'orders.yaml:4:5 /services/0/description: a text holds a character that cannot be stored',
    ]);
    const itself = 'sallyport: 1\npolicies: &p [{ name: a, policy: mock, config: { a: *p } }]\n';
    expect((await parseDeclarative(itself)).faults).toMatchObject([{ line: 2, code: 'too_deep' }]);
  });

  it('takes what thousands of objects share, said once', async () => {
    const one = 'sallyport: 1\nconsumers:\n  - { name: c0, limits: &limits [{ name: daily, limit: 5, window: 1d }] }\n';
    const others = Array.from({ length: 2_000 }, (_, at) => `  - { name: c${at + 1}, limits: *limits }\n`);
    const { document } = await parseDeclarative(one + others.join(''));
    expect(document?.consumers.at(-1)).toEqual({ name: 'c2000', limits: [{ name: 'daily', limit: 5, window: '1d' }] });
  });

  it('is the same document after it was written and read again', async () => {
    const { source, document } = await parseDeclarative(orders);
    const written = await formatDeclarative(source!);
    expect((await parseDeclarative(written)).document).toEqual(document);
    expect(await formatDeclarative((await parseDeclarative(written)).source!)).toBe(written);
  });

  it('never throws, whatever the text', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 200 }), async (text) => {
        const { faults, document } = await parseDeclarative(text);
        expect(document === undefined).toBe(faults.length > 0);
      }),
      { numRuns: 300 },
    );
  });
});

describe('the nearest name', () => {
  it('forgives a letter left out, doubled, swapped or mistyped, and nothing far away', () => {
    const known = ['upstream', 'policies', 'path'];
    expect(['upstrem', 'upsstream', 'upstraem', 'Upstream', 'pth'].map((word) => nearestName(word, known))).toEqual([
      'upstream',
      'upstream',
      'upstream',
      'upstream',
      'path',
    ]);
    expect(nearestName('lifecycle', known)).toBeUndefined();
  });

  it('is the first of those that are the fewest slips away, however many are compared', () => {
    const slips = (left: string, right: string): number => {
      const counted = Array.from({ length: left.length + 1 }, (_, row) => [row]);
      for (let column = 1; column <= right.length; column++) counted[0]![column] = column;
      for (let row = 1; row <= left.length; row++) {
        for (let column = 1; column <= right.length; column++) {
          const differs = left[row - 1] === right[column - 1] ? 0 : 1;
          const swapped = left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1];
          counted[row]![column] = Math.min(
            counted[row - 1]![column]! + 1,
            counted[row]![column - 1]! + 1,
            counted[row - 1]![column - 1]! + differs,
            ...(swapped ? [counted[row - 2]![column - 2]! + 1] : []),
          );
        }
      }
      return counted[left.length]![right.length]!;
    };
    const word = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(word, fc.array(word, { maxLength: 12 }), (typed, known) => {
        const tolerance = Math.max(1, Math.floor(typed.length / 3));
        const counts = known.map((name) => slips(typed, name));
        const fewest = Math.min(...counts);
        expect(nearestName(typed, known)).toBe(fewest <= tolerance ? known[counts.indexOf(fewest)] : undefined);
      }),
    );
  });
});
