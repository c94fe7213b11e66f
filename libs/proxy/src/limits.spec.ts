import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { routeLimits } from '@sallyport/contracts';
import * as z from 'zod';
import { boundsOf, defaultBounds, defaultListenerLimits, listenerLimits } from './limits';

interface Member {
  readonly default: unknown;
  readonly ceiling: number | undefined;
}

/** Members of a schema with what they are by default, by their path. */
function membersOf(schema: z.ZodObject, values: object, path = ''): Map<string, Member> {
  const members = new Map<string, Member>();
  for (const [name, shape] of Object.entries(schema.shape)) {
    const value = (values as Record<string, unknown>)[name];
    const inner = unwrapped(shape as z.ZodType);
    if (inner instanceof z.ZodObject) {
      for (const [key, member] of membersOf(inner, value as object, `${path}${name}.`)) members.set(key, member);
    } else {
      const ceiling = inner instanceof z.ZodNumber ? (inner.maxValue ?? undefined) : undefined;
      members.set(`${path}${name}`, { default: value, ceiling });
    }
  }
  return members;
}

function unwrapped(type: z.ZodType): z.ZodType {
  const wraps = type instanceof z.ZodOptional || type instanceof z.ZodDefault || type instanceof z.ZodPrefault;
  return wraps ? unwrapped(type.unwrap() as z.ZodType) : type;
}

const page = readFileSync(join(__dirname, '../../../docs/guides/limits.md'), 'utf8');
const [, ofListener = '', ofRoute = ''] = page.split(/^## Of a /m);

function documented(section: string): Map<string, Member> {
  const rows = [...section.matchAll(/^\| `([\w.]+)` *\| (\S+) *\| (\S+) *\|/gm)];
  return new Map(
    rows.map(([, name, standard, ceiling]) => [
      name!,
      {
        default: /^\d+$/.test(standard!) ? Number(standard) : standard === 'false' ? false : standard,
        ceiling: ceiling === '–' ? undefined : Number(ceiling),
      },
    ]),
  );
}

describe('limits', () => {
  it('of a listener are documented as they are', () => {
    expect(documented(ofListener)).toEqual(membersOf(listenerLimits, defaultListenerLimits));
  });

  it('of a route are documented as they are', () => {
    expect(documented(ofRoute)).toEqual(membersOf(routeLimits, defaultBounds));
  });

  it('cannot be lifted over their ceilings', () => {
    for (const [name, { ceiling }] of membersOf(routeLimits, defaultBounds)) {
      if (ceiling === undefined) continue;
      expect(routeLimits.safeParse({ [name]: ceiling }).success).toBe(true);
      expect(routeLimits.safeParse({ [name]: ceiling + 1 }).success).toBe(false);
    }
    expect(listenerLimits.safeParse({ sockets: 100_001 }).success).toBe(false);
    expect(listenerLimits.safeParse({ socket: 1 }).success).toBe(false);
  });

  it('that a route leaves out are those of everybody', () => {
    expect(boundsOf(undefined)).toBe(defaultBounds);
    const own = { jsonDepth: 3 };
    expect(boundsOf(own)).toEqual({ ...defaultBounds, jsonDepth: 3 });
    expect(boundsOf(own)).toBe(boundsOf(own));
  });
});
