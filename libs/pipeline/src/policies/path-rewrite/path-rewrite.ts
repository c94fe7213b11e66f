import { RE2JS } from 're2js';
import { z } from 'zod';
import { compilePathTemplate, pathTemplateFault, type PathParameters } from '../../path-template';
import { definePolicy, pass } from '../../policy';
import { referencesIn } from '../../text-template';

/** What the path becomes. Whatever is no part of a path would be escaped into it. */
const target = z
  .string()
  .max(1024)
  .startsWith('/', 'a path begins with a slash')
  .regex(/^[^?#]*$/, 'a path has no query and no fragment; parameters are set by request-transform');

/** Patterns longer than this are programs, and belong elsewhere. */
const PATTERN_LENGTH = 512;

const prefixRule = z.strictObject({
  /** Whole segments at the beginning of the path. */
  prefix: z.string().regex(/^\/([^/?#{}]+(\/[^/?#{}]+)*)?$/, 'whole segments such as /v1/orders'),
  to: z.string().regex(/^\/([^/?#{}]+(\/[^/?#{}]+)*)?$/, 'whole segments such as /orders'),
});

const templateRule = z
  .strictObject({
    /** The whole path, such as `/customers/{id}/orders/{rest*}`. */
    template: z.string().max(1024),
    to: target,
  })
  .superRefine(({ template, to }, context) => {
    const fault = pathTemplateFault(template);
    if (fault !== undefined)
      return context.addIssue({ code: 'custom', path: ['template'], message: fault, input: template });
    const { names } = compilePathTemplate(template);
    const unknown = referencesIn(to).find((name) => !names.includes(name));
    if (unknown !== undefined)
      context.addIssue({
        code: 'custom',
        path: ['to'],
        message: `{${unknown}} is no segment of the template`,
        input: to,
      });
  });

const patternRule = z
  .strictObject({
    /** A regular expression of RE2, without look-around and back references; it must match the whole path. */
    pattern: z.string().min(1).max(PATTERN_LENGTH),
    /** `$1` to `$9` stand for the groups of the pattern. */
    to: target,
  })
  .superRefine(({ pattern, to }, context) => {
    const compiled = compilePattern(pattern);
    if (typeof compiled === 'string')
      return context.addIssue({ code: 'custom', path: ['pattern'], message: compiled, input: pattern });
    const highest = Math.max(0, ...[...to.matchAll(/\$(\d)/g)].map((match) => Number(match[1])));
    if (highest > compiled.groupCount())
      context.addIssue({ code: 'custom', path: ['to'], message: `there is no group $${highest}`, input: to });
  });

type Rewrite = (path: string) => string | undefined;

export const pathRewrite = definePolicy({
  id: 'path-rewrite',
  summary:
    'Asks the upstream for another path: a prefix exchanged, segments put in other places, or a pattern replaced.',
  config: z.strictObject({
    /** The first rule that matches rewrites; a path that no rule matches goes on as it is. */
    rules: z
      .array(z.union([prefixRule, templateRule, patternRule]))
      .min(1)
      .max(64),
  }),
  example: {
    rules: [
      { template: '/orders/{id}', to: '/v2/order/{id}/view' },
      { prefix: '/orders', to: '/v2/orders' },
    ],
  },
  compile: ({ rules }) => {
    const rewrites = rules.map(compileRule);
    return {
      shape: (_input, draft) => {
        for (const rewrite of rewrites) {
          const path = rewrite(draft.path);
          // What was put together anew is read anew: a path with two meanings is refused, whoever wrote it.
          if (path !== undefined) return draft.setPath(path);
        }
        return pass;
      },
    };
  },
});

function compileRule(rule: z.output<typeof prefixRule | typeof templateRule | typeof patternRule>): Rewrite {
  if ('prefix' in rule) return exchangePrefix(rule.prefix, rule.to);
  if ('template' in rule) return rearrange(rule.template, rule.to);
  return replacePattern(rule.pattern, rule.to);
}

function exchangePrefix(prefix: string, to: string): Rewrite {
  const [from, onto] = [prefix === '/' ? '' : prefix, to === '/' ? '' : to];
  return (path) => {
    if (path === from) return onto === '' ? '/' : onto;
    return path.startsWith(`${from}/`) ? onto + path.slice(from.length) : undefined;
  };
}

function rearrange(text: string, to: string): Rewrite {
  const template = compilePathTemplate(text);
  return (path) => {
    const found = template.match(path);
    return found && putIn(to, found);
  };
}

function putIn(to: string, found: PathParameters): string {
  return to.replace(/\{([a-z0-9_]+)\}/g, (_, name: string) => found[name] ?? '');
}

function replacePattern(text: string, to: string): Rewrite {
  const pattern = compilePattern(text);
  if (typeof pattern === 'string') throw new Error(pattern);
  return (path) => {
    const matcher = pattern.matcher(path);
    if (!matcher.matches()) return undefined;
    return to.replace(/\$(\d)/g, (_, group: string) => matcher.group(Number(group)) ?? '');
  };
}

/** @returns the pattern, or what is wrong with it. */
function compilePattern(text: string): RE2JS | string {
  try {
    return RE2JS.compile(text);
  } catch (error) {
    return error instanceof Error ? error.message : 'not a pattern';
  }
}
