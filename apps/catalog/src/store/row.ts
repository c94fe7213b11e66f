/** What every stored object has besides its content. */
export interface Row {
  readonly id: string;
  readonly tenant: string;
  /** Rises by one with every edit. */
  readonly rev: number;
  readonly createdAt: Date;
  readonly createdBy: string;
  readonly updatedAt: Date;
  readonly updatedBy: string;
}

/** Columns of a {@link Row}, for a SELECT. */
export function rowColumns(alias: string): string {
  return `${alias}.id, ${alias}.tenant, ${alias}.rev::float8 AS rev,
    ${alias}.created_at AS "createdAt", ${alias}.created_by AS "createdBy",
    ${alias}.updated_at AS "updatedAt", ${alias}.updated_by AS "updatedBy"`;
}

/** Who writes a row, and when; milliseconds since the epoch. */
export interface Author {
  readonly name: string;
  readonly now: number;
}

/** A part of a list: what comes after a name, at most so many. */
export interface Page {
  readonly after: string | undefined;
  readonly limit: number;
}
