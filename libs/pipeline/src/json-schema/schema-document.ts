import type { Violation } from '@sallyport/contracts';
import { readPointer, writePointer } from '../json/pointer';
import { compileKeywords } from './keywords';
import { Run, TooMuchToCheck, type Check } from './run';
import { SchemaError, type Dialect, type Place, type SchemaCompiler } from './schema-compiler';
import { isObject, type Members } from './values';

/** @returns what a value breaks, at most twenty places; undefined when it is valid. */
export type Validator = (value: unknown) => readonly Violation[] | undefined;

/** Schemas of a document together; more are no schema of one API. */
const MAX_NODES = 50_000;
const MAX_DEPTH = 128;
/** Where a document without an address of its own is. */
const HERE = 'schema://here/';

/** Names whose values are data and no schemas. */
const DATA: ReadonlySet<string> = new Set(['const', 'enum', 'default', 'example', 'examples']);

/**
 * A document that holds schemas, and compiles those that are asked for: into functions, once each, without generating
 * code. References lead to places of the same document; nothing is fetched.
 */
export class SchemaDocument implements SchemaCompiler {
  /** Addresses and anchors. */
  private readonly places = new Map<string, Place>();
  private readonly bases = new Map<object, string>();
  private readonly compiled = new Map<object, Check>();
  private nodes = 0;

  /** @throws SchemaError on a document beyond bounds */
  constructor(
    private readonly root: unknown,
    readonly dialect: Dialect,
  ) {
    this.index(root, '', HERE, 0);
    this.places.set(HERE, { node: root, pointer: '' });
  }

  /**
   * Compiles the schema at a place of the document.
   * @throws SchemaError
   */
  validator(pointer = ''): Validator {
    const place = this.resolvePointer({ node: this.root, pointer: '' }, readPointer(pointer) ?? []);
    if (!place) throw new SchemaError(pointer, 'is not there');
    const check = this.check(place.node, place.pointer);
    return (value) => {
      const run = new Run();
      try {
        return check(value, run, undefined) && run.violations.length === 0 ? undefined : run.violations;
      } catch (error) {
        if (!(error instanceof TooMuchToCheck)) throw error;
        return [{ pointer: '', code: 'complexity', detail: 'The document is too complex to be checked.' }];
      }
    };
  }

  /** Compiles a schema within the document; one that is being compiled already is called when it is there. */
  check(schema: unknown, pointer: string): Check {
    if (schema === true) return () => true;
    if (schema === false) return (_, run) => run.report('false', 'Nothing may stand here.');
    if (!isObject(schema)) throw new SchemaError(pointer, 'must be a schema: an object, true or false');
    const known = this.compiled.get(schema);
    if (known) return known;
    let check: Check | undefined;
    this.compiled.set(schema, (value, run, seen) => check!(value, run, seen));
    check = compileKeywords(schema, pointer, this);
    this.compiled.set(schema, check);
    return check;
  }

  /** The schema a reference names, and its place. */
  resolve(schema: Members, reference: unknown, pointer: string): Place {
    const base = this.bases.get(schema) ?? HERE;
    if (typeof reference !== 'string' || !URL.canParse(reference, base))
      throw new SchemaError(pointer, 'must be a reference');
    const { href } = new URL(reference, base);
    const hash = href.indexOf('#');
    const [address, fragment] = hash < 0 ? [href, ''] : [href.slice(0, hash), href.slice(hash + 1)];
    const place = this.placeOf(address, fragment);
    if (!place)
      throw new SchemaError(
        pointer,
        `names “${reference.slice(0, 100)}”, which is not in this document; nothing is fetched`,
      );
    return place;
  }

  private placeOf(address: string, fragment: string): Place | undefined {
    const resource = this.places.get(address);
    if (!resource || fragment === '') return resource;
    if (!fragment.startsWith('/')) return this.places.get(`${address}#${fragment}`);
    const parts = readPointer(decoded(fragment) ?? '~');
    return parts && this.resolvePointer(resource, parts);
  }

  private resolvePointer(from: Place, parts: readonly string[]): Place | undefined {
    let { node } = from;
    for (const part of parts) {
      if (typeof node !== 'object' || node === null || !Object.hasOwn(node, part)) return undefined;
      node = (node as Members)[part];
    }
    return { node, pointer: from.pointer + writePointer(parts) };
  }

  /** Finds addresses and anchors, wherever in the document they are. */
  private index(node: unknown, pointer: string, base: string, depth: number): void {
    if (typeof node !== 'object' || node === null) return;
    this.nodes += 1;
    if (this.nodes > MAX_NODES || depth > MAX_DEPTH)
      throw new SchemaError(pointer, 'is beyond what a document may hold');
    let within = base;
    if (!Array.isArray(node)) {
      within = this.addressOf(node as Members, pointer, base);
      this.bases.set(node, within);
      this.anchor(node as Members, pointer, within);
    }
    for (const [name, member] of Object.entries(node)) {
      if (!DATA.has(name)) this.index(member, `${pointer}${writePointer([name])}`, within, depth + 1);
    }
  }

  private addressOf(node: Members, pointer: string, base: string): string {
    const id = node['$id'];
    if (typeof id !== 'string' || id.startsWith('#') || !URL.canParse(id, base)) return base;
    const address = new URL(id, base).href.replace(/#$/, '');
    this.define(address, node, pointer);
    return address;
  }

  private anchor(node: Members, pointer: string, base: string): void {
    const id = node['$id'];
    const names = [
      node['$anchor'],
      node['$dynamicAnchor'],
      typeof id === 'string' && id.startsWith('#') && id.slice(1),
    ];
    for (const name of names)
      if (typeof name === 'string' && name !== '') this.define(`${base}#${name}`, node, pointer);
  }

  private define(address: string, node: unknown, pointer: string): void {
    if (this.places.has(address)) throw new SchemaError(pointer, `has an address that another schema has: ${address}`);
    this.places.set(address, { node, pointer });
  }
}

function decoded(fragment: string): string | undefined {
  try {
    return decodeURIComponent(fragment);
  } catch {
    return undefined;
  }
}

/** The dialect a schema names in `$schema`; 2020-12 where it names none. */
export function dialectOf(schema: unknown): Dialect {
  const named = isObject(schema) ? schema['$schema'] : undefined;
  if (named === undefined) return '2020-12';
  if (named === 'https://json-schema.org/draft/2020-12/schema') return '2020-12';
  if (typeof named === 'string' && /^https?:\/\/json-schema\.org\/draft-07\/schema#?$/.test(named)) return 'draft-07';
  throw new SchemaError('/$schema', 'must name draft 2020-12 or draft-07');
}
