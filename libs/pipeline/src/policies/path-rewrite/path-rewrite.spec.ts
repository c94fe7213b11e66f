import fc from 'fast-check';
import { isRefusal } from '@sallyport/contracts';
import { canonicalPath } from '@sallyport/proxy';
import { policyInput, processorMillis } from '@sallyport/testkit';
import { RequestDraft } from '../../draft';
import { servicesWithoutMemory } from '../../policy-services';
import { pathRewrite } from './path-rewrite';

function rewritten(rules: object[], path: string): string {
  const input = policyInput({ path });
  const hooks = pathRewrite.compile(pathRewrite.config.parse({ rules }), input.exchange.route, servicesWithoutMemory);
  const draft = new RequestDraft(input.request, path);
  const refusal = hooks.shape!(input, draft);
  return isRefusal(refusal) ? refusal.code : draft.path;
}

describe('the path that goes upstream', () => {
  it.each([
    [{ prefix: '/v1', to: '/api' }, '/v1/orders/7', '/api/orders/7'],
    [{ prefix: '/v1', to: '/api' }, '/v1', '/api'],
    [{ prefix: '/v1', to: '/api' }, '/v10/orders', '/v10/orders'],
    [{ prefix: '/v1', to: '/' }, '/v1', '/'],
    [{ prefix: '/', to: '/api' }, '/orders', '/api/orders'],
    [{ template: '/a/{x}/b/{y}', to: '/{y}/of/{x}' }, '/a/1/b/2', '/2/of/1'],
    [{ template: '/a/{rest*}', to: '/z/{rest}' }, '/a/1/2/3', '/z/1/2/3'],
    [{ template: '/a/{x}', to: '/z' }, '/a/1/2', '/a/1/2'],
    [{ pattern: '/orders/(\\d+)', to: '/o/$1' }, '/orders/17', '/o/17'],
    [{ pattern: '/orders/(\\d+)', to: '/o/$1' }, '/orders/17x', '/orders/17x'],
    [{ template: '/a/{x}', to: '/z/{x}' }, '/a/b%20c', '/z/b%20c'],
  ])('by %j: %s → %s', (rule, path, expected) => {
    expect(rewritten([rule], path)).toBe(expected);
  });

  it('is made by the first rule that matches', () => {
    const rules = [
      { prefix: '/a/b', to: '/first' },
      { prefix: '/a', to: '/second' },
    ];
    expect([rewritten(rules, '/a/b/c'), rewritten(rules, '/a/c')]).toEqual(['/first/c', '/second/c']);
  });

  it.each([
    [{ pattern: '/(.*)', to: '/x/$1/../y' }, '/a'],
    [{ pattern: '/a(.*)', to: '/x/$1' }, '/a//'],
    [{ pattern: '/(.*?)-(.*)', to: '/%$2' }, '/a-2e'],
    [{ pattern: '/(.*?)-(.*)', to: '/a%$2' }, '/a-2f'],
    [{ pattern: '/(.+)', to: '/.$1' }, '/.'],
  ])('is refused where %j made one with two meanings of %s', (rule, path) => {
    expect(rewritten([rule], path)).toBe('REQUEST_MALFORMED');
  });

  it('is always in its one spelling, whatever was put together', () => {
    const segment = fc.constantFrom('a', 'b%20c', '.', '..', '', '%2e', '%2F', ';p', '%25', '2e', 'é');
    const to = fc.constantFrom('/x/{a}{b}', '/{b}/{a}', '/%{a}{b}', '/{a}/./{b}', '/{a}%2{b}');
    fc.assert(
      fc.property(segment, segment, to, (a, b, target) => {
        const made = rewritten([{ template: '/{a}/{b}', to: target }], `/${a}/${b}`);
        if (made !== 'REQUEST_MALFORMED' && a !== '' && b !== '')
          expect(canonicalPath(made)).toMatchObject({ path: made });
      }),
    );
  });

  it('is found in time that grows with its length and not faster', () => {
    const rewrite = () => void rewritten([{ pattern: '/(a+)+b', to: '/$1' }], `/${'a'.repeat(8000)}`);
    expect(processorMillis(1_000, rewrite)).toBeLessThan(1_000);
  });
});

describe('the configuration of path-rewrite', () => {
  it.each([
    ['a look-ahead', { pattern: '/(?=a)', to: '/' }],
    ['a back reference', { pattern: '/(a)\\1', to: '/' }],
    ['a group that is not there', { pattern: '/(a)', to: '/$2' }],
    ['a segment that is not there', { template: '/{a}', to: '/{b}' }],
    ['a rest in the middle', { template: '/{a*}/b', to: '/{a}' }],
    ['a name twice', { template: '/{a}/{a}', to: '/{a}' }],
    ['a target without a slash', { template: '/{a}', to: '{a}' }],
    ['a query', { prefix: '/a', to: '/b?c' }],
  ])('refuses %s', (_, rule) => {
    expect(pathRewrite.config.safeParse({ rules: [rule] }).success).toBe(false);
  });

  it.each([
    { template: '/{id}', to: '/search?id={id}' },
    { pattern: '/(.+)', to: '/search?id=$1' },
    { template: '/{id}', to: '/search#{id}' },
    { prefix: '/a', to: '/b?c' },
  ])('names the member that is no path: %j', (rule) => {
    const [issue] = pathRewrite.config.safeParse({ rules: [rule] }).error!.issues;
    expect([issue!.path.join('.'), issue!.message]).toEqual(['rules.0.to', expect.any(String)]);
  });
});
