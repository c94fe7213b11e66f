import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { policies, policiesById } from './registry';

describe('the registry of policies', () => {
  it('has each policy once, under the name of its folder', () => {
    expect(new Set(policies.map(({ id }) => id)).size).toBe(policies.length);
    expect(policies.map(({ id }) => existsSync(join(__dirname, id, `${id}.ts`)))).toEqual(policies.map(() => true));
  });

  it('has a page and a whole configuration of each, that a test runs', () => {
    const missing = policies.flatMap(({ id }) =>
      [`${id}.md`, 'example.yaml']
        .filter((file) => !existsSync(join(__dirname, id, file)))
        .map((file) => `${id}/${file}`),
    );
    expect(missing).toEqual([]);
  });

  it.each(policies.map((policy) => [policy.id, policy] as const))(
    'has an example of %s that its schema accepts',
    (id, policy) => {
      expect(policiesById[id]!.config.safeParse(policy.example).success).toBe(true);
    },
  );
});
