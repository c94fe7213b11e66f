import type { Check } from './run';
import type { Members } from './values';

/** Which rules a schema is read by. OpenAPI 3.1 is 2020-12; 3.0 has words of its own. */
export type Dialect = '2020-12' | 'draft-07' | 'openapi-3.0';

/** A schema that cannot be compiled, with the place of the fault as a JSON Pointer. */
export class SchemaError extends Error {
  constructor(
    readonly pointer: string,
    readonly what: string,
  ) {
    super(`${pointer === '' ? '/' : pointer} ${what}`);
    this.name = 'SchemaError';
  }
}

/** A schema with the place where it stands. */
export interface Place {
  readonly node: unknown;
  readonly pointer: string;
}

/** What compiles the schemas within a schema. */
export interface SchemaCompiler {
  readonly dialect: Dialect;
  check(schema: unknown, pointer: string): Check;
  /** @throws SchemaError when the reference leads nowhere in the document */
  resolve(schema: Members, reference: unknown, pointer: string): Place;
}
