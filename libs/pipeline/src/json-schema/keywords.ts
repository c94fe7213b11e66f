import { compareDecimals, isWhole, readDecimal } from '../json/decimal';
import { ExactNumber } from '../json/strict-json';
import { isReadOnly } from './applied';
import { formats, numberFormats } from './formats';
import { Pattern } from './pattern';
import { Seen, type Check, type Run } from './run';
import { SchemaError, type SchemaCompiler } from './schema-compiler';
import { isObject, isOfType, keyOf, lengthOf, multiplesOf, typeNames, type Members, type TypeName } from './values';

/** Compiles one keyword of a schema; undefined where it says nothing. */
type Keyword = (at: Site) => Check | undefined;

/** One schema while its keywords are compiled. */
class Site {
  constructor(
    readonly schema: Members,
    readonly pointer: string,
    readonly document: SchemaCompiler,
  ) {}

  get isOpenApi30(): boolean {
    return this.document.dialect === 'openapi-3.0';
  }

  fail(keyword: string, what: string): never {
    throw new SchemaError(`${this.pointer}/${keyword}`, what);
  }

  /** A value of the schema that is of one kind, or not there. */
  number(keyword: string): number | undefined {
    const value = this.schema[keyword];
    if (value !== undefined && (typeof value !== 'number' || !Number.isFinite(value)))
      this.fail(keyword, 'must be a number');
    return value;
  }

  count(keyword: string): number | undefined {
    const value = this.number(keyword);
    if (value !== undefined && (!Number.isInteger(value) || value < 0))
      this.fail(keyword, 'must be a whole number, 0 or more');
    return value;
  }

  names(keyword: string): readonly string[] | undefined {
    const value = this.schema[keyword];
    if (value === undefined) return undefined;
    if (!Array.isArray(value) || !value.every((name) => typeof name === 'string'))
      this.fail(keyword, 'must be a list of names');
    return value;
  }

  schemas(keyword: string): readonly Check[] | undefined {
    const value = this.schema[keyword];
    if (value === undefined) return undefined;
    if (!Array.isArray(value) || value.length === 0) this.fail(keyword, 'must be a list of schemas');
    return value.map((schema, at) => this.document.check(schema, `${this.pointer}/${keyword}/${at}`));
  }

  members(keyword: string): readonly (readonly [string, unknown])[] | undefined {
    const value = this.schema[keyword];
    if (value === undefined) return undefined;
    if (!isObject(value)) this.fail(keyword, 'must be an object');
    return Object.entries(value);
  }

  sub(keyword: string): Check | undefined {
    const value = this.schema[keyword];
    return value === undefined ? undefined : this.document.check(value, `${this.pointer}/${keyword}`);
  }

  pattern(keyword: string, source: unknown): Pattern {
    if (typeof source !== 'string') this.fail(keyword, 'must be a regular expression');
    try {
      return new Pattern(source);
    } catch (error) {
      return this.fail(
        keyword,
        `is no regular expression that can be matched in linear time: ${(error as Error).message}`,
      );
    }
  }
}

/** Compiles a schema into one function that runs its keywords in turn. */
export function compileKeywords(schema: Members, pointer: string, document: SchemaCompiler): Check {
  const site = new Site(schema, pointer, document);
  // In the older dialects whatever stands beside a reference is ignored.
  const referenceOnly = document.dialect !== '2020-12' && schema['$ref'] !== undefined;
  const checks = (referenceOnly ? [reference] : keywords).flatMap((keyword) => keyword(site) ?? []);
  const looksBack = [unevaluatedMembers(site), unevaluatedItems(site)].flatMap((check) => check ?? []);
  return looksBack.length === 0 ? inTurn(checks) : withLookBack(inTurn(checks), looksBack);
}

function inTurn(checks: readonly Check[]): Check {
  return (value, run, seen) => {
    run.enter();
    let valid = true;
    for (const check of checks) {
      if (check(value, run, seen)) continue;
      valid = false;
      if (run.trying > 0 || run.isFull) break;
    }
    run.leave();
    return valid;
  };
}

/** `unevaluated…` is about what no keyword beside it has looked at. */
function withLookBack(checks: Check, looksBack: readonly Check[]): Check {
  return (value, run, seen) => {
    const here = new Seen();
    let valid = checks(value, run, here);
    for (const check of looksBack) valid = check(value, run, here) && valid;
    if (valid) seen?.take(here);
    return valid;
  };
}

function attempt(run: Run, check: Check, value: unknown, seen: Seen | undefined): boolean {
  const within = seen && new Seen();
  run.trying += 1;
  const valid = check(value, run, within);
  run.trying -= 1;
  if (valid && within) seen.take(within);
  return valid;
}

function at(run: Run, part: string | number, check: Check, value: unknown): boolean {
  run.path.push(part);
  const valid = check(value, run, undefined);
  run.path.pop();
  return valid;
}

const short = (text: string): string => (text.length > 80 ? `${text.slice(0, 80)}…` : text);
const quoted = (name: string): string => `“${short(name)}”`;

const reference: Keyword = (site) => {
  const { schema, document, pointer } = site;
  const dynamic = schema['$ref'] === undefined && schema['$dynamicRef'] !== undefined;
  const named = dynamic ? schema['$dynamicRef'] : schema['$ref'];
  if (named === undefined) return undefined;
  const place = document.resolve(schema, named, `${pointer}/${dynamic ? '$dynamicRef' : '$ref'}`);
  return document.check(place.node, place.pointer);
};

const type: Keyword = (site) => {
  const named = site.schema['type'];
  if (named === undefined) return undefined;
  const types = (Array.isArray(named) ? named : [named]) as TypeName[];
  if (types.length === 0 || !types.every((name) => typeNames.includes(name)))
    site.fail('type', 'must name types of JSON');
  const all = site.isOpenApi30 && site.schema['nullable'] === true ? [...types, 'null' as const] : types;
  const [only] = all;
  const expected = `Must be ${all.join(' or ')}.`;
  if (all.length === 1) return (value, run) => isOfType(value, only!) || run.report('type', expected);
  return (value, run) => all.some((name) => isOfType(value, name)) || run.report('type', expected);
};

const enumeration: Keyword = (site) => {
  const values = site.schema['enum'];
  if (values === undefined) return undefined;
  if (!Array.isArray(values)) return site.fail('enum', 'must be a list of values');
  const keys = new Set((values as unknown[]).map((value) => keyOf(value, () => undefined)));
  return (value, run) =>
    keys.has(keyOf(value, () => run.spend(1))) ||
    run.report('enum', 'Must be one of the values that are allowed here.');
};

const constant: Keyword = (site) => {
  if (!Object.hasOwn(site.schema, 'const') || site.isOpenApi30) return undefined;
  const key = keyOf(site.schema['const'], () => undefined);
  return (value, run) =>
    keyOf(value, () => run.spend(1)) === key || run.report('const', 'Must be the one value that is allowed here.');
};

type NumberRule = (value: number | ExactNumber) => boolean;

function numbers(code: string, meets: NumberRule, detail: string): Check {
  return (value, run) =>
    (typeof value !== 'number' && !(value instanceof ExactNumber)) || meets(value) || run.report(code, detail);
}

/** @param accepts told below 0, 0 or above it, as a number is less than, equal to or more than the bound. */
function against(bound: number, accepts: (order: number) => boolean): NumberRule {
  const exact = readDecimal(String(bound));
  return (value) => accepts(typeof value === 'number' ? value - bound : compareDecimals(value.decimal, exact));
}

const multipleOf: Keyword = (site) => {
  const step = site.number('multipleOf');
  if (step === undefined) return undefined;
  if (step <= 0) site.fail('multipleOf', 'must be above 0');
  return numbers('multipleOf', multiplesOf(step), `Must be a multiple of ${step}.`);
};

const atLeast = (bound: number): Check =>
  numbers(
    'minimum',
    against(bound, (order) => order >= 0),
    `Must be at least ${bound}.`,
  );
const atMost = (bound: number): Check =>
  numbers(
    'maximum',
    against(bound, (order) => order <= 0),
    `Must be at most ${bound}.`,
  );
const above = (bound: number): Check =>
  numbers(
    'exclusiveMinimum',
    against(bound, (order) => order > 0),
    `Must be above ${bound}.`,
  );
const below = (bound: number): Check =>
  numbers(
    'exclusiveMaximum',
    against(bound, (order) => order < 0),
    `Must be below ${bound}.`,
  );

/** A bound, or in OpenAPI 3.0 an open one where the word beside it is true. */
function bounding(
  keyword: string,
  opening: string,
  closed: (at: number) => Check,
  open: (at: number) => Check,
): Keyword {
  return (site) => {
    const bound = site.number(keyword);
    if (bound === undefined) return undefined;
    return (site.isOpenApi30 && site.schema[opening] === true ? open : closed)(bound);
  };
}

function openBound(keyword: string, check: (at: number) => Check): Keyword {
  return (site) => {
    const bound = site.isOpenApi30 ? undefined : site.number(keyword);
    return bound === undefined ? undefined : check(bound);
  };
}

/** Bounds that count something of one type. */
function counted<Value>(
  keyword: string,
  isMeant: (value: unknown) => value is Value,
  count: (value: Value) => number,
  unit: string,
): Keyword {
  const isLeast = keyword.startsWith('min');
  return (site) => {
    const bound = site.count(keyword);
    if (bound === undefined) return undefined;
    const detail = `Must have at ${isLeast ? 'least' : 'most'} ${bound} ${unit}.`;
    return (value, run) => {
      if (!isMeant(value)) return true;
      const found = count(value);
      return (isLeast ? found >= bound : found <= bound) || run.report(keyword, detail);
    };
  };
}

const isText = (value: unknown): value is string => typeof value === 'string';
const isList = (value: unknown): value is readonly unknown[] => Array.isArray(value);
const membersOf = (value: Members): number => Object.keys(value).length;

const pattern: Keyword = (site) => {
  const source = site.schema['pattern'];
  if (source === undefined) return undefined;
  const compiled = site.pattern('pattern', source);
  return (value, run) => {
    if (!isText(value)) return true;
    const matches = compiled.matches(value);
    if (matches === undefined) return run.report('pattern', 'Is too long to be matched.');
    return matches || run.report('pattern', 'Does not have the form that is expected here.');
  };
};

const format: Keyword = ({ schema }) => {
  const name = schema['format'];
  if (typeof name !== 'string') return undefined;
  const [ofText, range] = [formats.get(name), numberFormats.get(name)];
  if (range) return numbers('format', wholeWithin(range), `Must be of the format ${name}.`);
  return (
    ofText &&
    ((value, run) =>
      !isText(value) ||
      (value.length <= 65_536 && ofText(value)) ||
      run.report('format', `Must be of the format ${name}.`))
  );
};

function wholeWithin([least, most]: readonly [string, string]): NumberRule {
  const [low, high] = [readDecimal(least), readDecimal(most)];
  return (value) => {
    const decimal = typeof value === 'number' ? readDecimal(String(value)) : value.decimal;
    return isWhole(decimal) && compareDecimals(decimal, low) >= 0 && compareDecimals(decimal, high) <= 0;
  };
}

const uniqueItems: Keyword = ({ schema }) => {
  if (schema['uniqueItems'] !== true) return undefined;
  return (value, run) => {
    if (!isList(value)) return true;
    const keys = new Set(value.map((item) => keyOf(item, () => run.spend(1))));
    return keys.size === value.length || run.report('uniqueItems', 'No item may stand here twice.');
  };
};

/** `prefixItems` and `items`, whatever they are called in the dialect. */
const items: Keyword = (site) => {
  const { schema, document } = site;
  const oldTuple = document.dialect === 'draft-07' && Array.isArray(schema['items']);
  const prefix =
    (oldTuple ? site.schemas('items') : document.dialect === '2020-12' ? site.schemas('prefixItems') : undefined) ?? [];
  const rest = oldTuple ? site.sub('additionalItems') : site.sub('items');
  if (prefix.length === 0 && !rest) return undefined;
  return (value, run, seen) => {
    if (!isList(value)) return true;
    const known = Math.min(prefix.length, value.length);
    let valid = true;
    for (let index = 0; index < (rest ? value.length : known) && !run.isFull; index++) {
      const check = index < known ? prefix[index]! : rest!;
      valid = at(run, index, check, value[index]) && valid;
    }
    if (seen) {
      seen.items = Math.max(seen.items, known);
      if (rest) seen.allItems = true;
    }
    return valid;
  };
};

const contains: Keyword = (site) => {
  const check = site.sub('contains');
  if (!check || site.isOpenApi30) return undefined;
  const bounded = site.document.dialect === '2020-12';
  const least = (bounded ? site.count('minContains') : undefined) ?? 1;
  const most = (bounded ? site.count('maxContains') : undefined) ?? Number.POSITIVE_INFINITY;
  return (value, run, seen) => {
    if (!isList(value)) return true;
    let found = 0;
    value.forEach((item, index) => {
      if (!attempt(run, check, item, undefined)) return;
      found += 1;
      if (bounded) seen?.singleItems.add(index);
    });
    if (found < least)
      return run.report('contains', `Must have at least ${least} of the items that are expected here.`);
    return found <= most || run.report('maxContains', `Must have at most ${most} of the items that are meant here.`);
  };
};

const required: Keyword = (site) => {
  const names = site.isOpenApi30 ? site.names('required')?.filter(isOfRequests(site)) : site.names('required');
  if (!names || names.length === 0) return undefined;
  return (value, run) => {
    if (!isObject(value)) return true;
    let valid = true;
    for (const name of names) if (!Object.hasOwn(value, name)) valid = run.reportAt(name, 'required', 'Is missing.');
    return valid;
  };
};

/** OAS 3.0.3 §4.7.24.2: of a member that is `readOnly`, `required` is about answers; documents of 3.0 are for requests here. */
function isOfRequests({ document, schema, pointer }: Site): (name: string) => boolean {
  return (name) => !isReadOnly(document, { node: schema, pointer }, name);
}

/** `properties`, `patternProperties` and `additionalProperties` together: the last is about what the others leave. */
const properties: Keyword = (site) => {
  const { document, pointer } = site;
  const named = new Map(
    (site.members('properties') ?? []).map(
      ([name, schema]) =>
        [
          name,
          document.check(schema, `${pointer}/properties/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`),
        ] as const,
    ),
  );
  const patterned = (site.isOpenApi30 ? [] : (site.members('patternProperties') ?? [])).map(
    ([source, schema]) =>
      [site.pattern('patternProperties', source), document.check(schema, `${pointer}/patternProperties`)] as const,
  );
  const rest = site.sub('additionalProperties');
  const forbidsRest = site.schema['additionalProperties'] === false;
  if (named.size === 0 && patterned.length === 0 && !rest) return undefined;
  const visit = (name: string, member: unknown, run: Run): { valid: boolean; met: boolean } => {
    const check = named.get(name);
    let valid = check ? at(run, name, check, member) : true;
    let met = check !== undefined;
    for (const [compiled, schema] of patterned) {
      if (compiled.matches(name) === false) continue;
      met = true;
      valid = at(run, name, schema, member) && valid;
    }
    return { valid, met };
  };
  return (value, run, seen) => {
    if (!isObject(value)) return true;
    let valid = true;
    for (const name in value) {
      if (run.isFull) return false;
      const visited = visit(name, value[name], run);
      valid = visited.valid && valid;
      if (!visited.met && rest) {
        valid =
          (forbidsRest
            ? run.reportAt(name, 'additionalProperties', 'Is not known here.')
            : at(run, name, rest, value[name])) && valid;
      }
      if (seen && (visited.met || rest)) seen.members.add(name);
    }
    return valid;
  };
};

const propertyNames: Keyword = (site) => {
  const check = site.isOpenApi30 ? undefined : site.sub('propertyNames');
  if (!check) return undefined;
  return (value, run) => {
    if (!isObject(value)) return true;
    let valid = true;
    for (const name in value) {
      if (!attempt(run, check, name, undefined))
        valid = run.reportAt(name, 'propertyNames', 'Is a name that is not allowed here.');
    }
    return valid;
  };
};

/** `dependentRequired` and `dependentSchemas`, and the `dependencies` they came from. */
const dependents: Keyword = (site) => {
  if (site.isOpenApi30) return undefined;
  const { document, pointer } = site;
  const needed = new Map<string, readonly string[]>();
  const applied = new Map<string, Check>();
  const take = (keyword: string, name: string, rule: unknown): void => {
    if (Array.isArray(rule)) needed.set(name, rule as string[]);
    else applied.set(name, document.check(rule, `${pointer}/${keyword}/${name}`));
  };
  const words = document.dialect === 'draft-07' ? ['dependencies'] : ['dependentRequired', 'dependentSchemas'];
  for (const word of words) for (const [name, rule] of site.members(word) ?? []) take(word, name, rule);
  if (needed.size === 0 && applied.size === 0) return undefined;
  return (value, run, seen) => {
    if (!isObject(value)) return true;
    let valid = true;
    for (const [name, others] of needed) {
      if (!Object.hasOwn(value, name)) continue;
      for (const other of others) {
        if (!Object.hasOwn(value, other))
          valid = run.reportAt(other, 'dependentRequired', `Is missing beside ${quoted(name)}.`);
      }
    }
    for (const [name, check] of applied) if (Object.hasOwn(value, name)) valid = check(value, run, seen) && valid;
    return valid;
  };
};

const allOf: Keyword = (site) => {
  const checks = site.schemas('allOf');
  return checks && ((value, run, seen) => checks.reduce((valid, check) => check(value, run, seen) && valid, true));
};

const anyOf: Keyword = (site) => {
  const checks = site.schemas('anyOf');
  if (!checks) return undefined;
  return (value, run, seen) => {
    let valid = false;
    for (const check of checks) {
      valid = attempt(run, check, value, seen) || valid;
      // Whoever looks back has to know what every branch looked at.
      if (valid && !seen) return true;
    }
    return valid || run.report('anyOf', 'Has none of the forms that are allowed here.');
  };
};

const oneOf: Keyword = (site) => {
  const checks = site.schemas('oneOf');
  if (!checks) return undefined;
  return (value, run, seen) => {
    let valid = 0;
    for (const check of checks) if (attempt(run, check, value, seen)) valid += 1;
    if (valid === 1) return true;
    return run.report(
      'oneOf',
      valid === 0
        ? 'Has none of the forms that are allowed here.'
        : 'Has more than one of the forms of which exactly one is allowed.',
    );
  };
};

const not: Keyword = (site) => {
  const check = site.sub('not');
  return (
    check &&
    ((value, run) =>
      !attempt(run, check, value, undefined) || run.report('not', 'Has a form that is not allowed here.'))
  );
};

const conditional: Keyword = (site) => {
  const [condition, yes, no] = [site.sub('if'), site.sub('then'), site.sub('else')];
  if (!condition || site.isOpenApi30) return undefined;
  return (value, run, seen) => {
    const branch = attempt(run, condition, value, seen) ? yes : no;
    return branch ? branch(value, run, seen) : true;
  };
};

/** In the order in which what they find is told. */
const keywords: readonly Keyword[] = [
  type,
  enumeration,
  constant,
  multipleOf,
  bounding('minimum', 'exclusiveMinimum', atLeast, above),
  openBound('exclusiveMinimum', above),
  bounding('maximum', 'exclusiveMaximum', atMost, below),
  openBound('exclusiveMaximum', below),
  counted('minLength', isText, lengthOf, 'characters'),
  counted('maxLength', isText, lengthOf, 'characters'),
  pattern,
  format,
  counted('minItems', isList, (list) => list.length, 'items'),
  counted('maxItems', isList, (list) => list.length, 'items'),
  uniqueItems,
  items,
  contains,
  counted('minProperties', isObject, membersOf, 'members'),
  counted('maxProperties', isObject, membersOf, 'members'),
  required,
  properties,
  propertyNames,
  dependents,
  reference,
  allOf,
  anyOf,
  oneOf,
  not,
  conditional,
];

function unevaluatedMembers(site: Site): Check | undefined {
  const check = site.document.dialect === '2020-12' ? site.sub('unevaluatedProperties') : undefined;
  if (!check) return undefined;
  const forbids = site.schema['unevaluatedProperties'] === false;
  return (value, run, seen) => {
    if (!isObject(value) || seen!.allMembers) return true;
    let valid = true;
    for (const name in value) {
      if (seen!.members.has(name)) continue;
      valid =
        (forbids
          ? run.reportAt(name, 'unevaluatedProperties', 'Is not known here.')
          : at(run, name, check, value[name])) && valid;
    }
    seen!.allMembers = true;
    return valid;
  };
}

function unevaluatedItems(site: Site): Check | undefined {
  const check = site.document.dialect === '2020-12' ? site.sub('unevaluatedItems') : undefined;
  if (!check) return undefined;
  return (value, run, seen) => {
    if (!isList(value) || seen!.allItems) return true;
    let valid = true;
    for (let index = seen!.items; index < value.length; index++) {
      if (!seen!.singleItems.has(index)) valid = at(run, index, check, value[index]) && valid;
    }
    seen!.allItems = true;
    return valid;
  };
}
