import type { DeclaredLifecycle, DeclarativeInput, Json } from '@sallyport/contracts';
import { declaredService, declarative } from '@sallyport/contracts';
import { pathOf } from './configuration';
import type { Kind } from './kinds';
import type { Life } from './lifecycle';
import { withoutDefaults } from './without-defaults';
import type { NamedRow } from './store/named-table';
import type { Row } from './store/row';
import type { ServiceRow, VersionRow } from './store/services';

/** How objects look outside: in answers of the admin API, in audit records and in the declarative document. */

interface Meta {
  readonly id: string;
  readonly rev: number;
  readonly createdAt: string;
  readonly createdBy: string;
  readonly updatedAt: string;
  readonly updatedBy: string;
}

function metaOf({ id, rev, createdAt, createdBy, updatedAt, updatedBy }: Row): Meta {
  return { id, rev, createdAt: createdAt.toISOString(), createdBy, updatedAt: updatedAt.toISOString(), updatedBy };
}

export type NamedView = Meta & { readonly name: string } & Readonly<Record<string, unknown>>;

export function namedView(row: NamedRow<object>): NamedView {
  return { ...declaredOf(row), ...metaOf(row) };
}

/** The object as its declarative document says it. */
export function declaredOf<Spec extends object>({ name, spec }: NamedRow<Spec>): Spec & { name: string } {
  return { name, ...spec };
}

export type ServiceView = Meta & { readonly name: string; readonly kind: string };

export function serviceView(row: ServiceRow): ServiceView {
  return { name: row.name, kind: row.kind, ...metaOf(row) };
}

interface LifeView {
  readonly state: Life['state'];
  readonly published: string | null;
  readonly deprecated: string | null;
  readonly sunset: string | null;
  readonly decommissioned: string | null;
  readonly successor: string | null;
  readonly reason: string | null;
}

export type VersionView = Meta & { service: string; version: string; path: string; lifecycle: LifeView } & Omit<
    VersionRow['spec'],
    'path'
  >;

export function versionView(row: VersionRow): VersionView {
  return { ...versionFacts(row), ...metaOf(row) };
}

/** A version without what every edit changes: what audit records compare. */
export function versionFacts(
  row: Pick<VersionRow, 'service' | 'version' | 'spec' | 'life'>,
): Omit<VersionView, keyof Meta> {
  const { service, version, spec, life } = row;
  return { service, version, ...spec, path: pathOf(row), lifecycle: lifeView(life) };
}

function lifeView(life: Life): LifeView {
  return {
    state: life.state,
    published: momentText(life.publishedAt),
    deprecated: momentText(life.deprecatedAt),
    sunset: momentText(life.sunsetAt),
    decommissioned: momentText(life.decommissionedAt),
    successor: life.successor,
    reason: life.reason,
  };
}

function momentText(moment: number | null): string | null {
  return moment === null ? null : new Date(moment).toISOString();
}

/** The entry of a version in the declarative document, without what is default. */
function declaredVersion(row: VersionRow): object {
  const { service, version, kind, spec, life } = row;
  const path = pathOf(row) === `/${service}` ? undefined : spec.path;
  return withoutDefaults(declaredService, {
    ...spec,
    name: service,
    kind,
    version,
    path,
    lifecycle: declaredLife(life),
  });
}

/** Published is what a version in a document is unless it says otherwise. */
function declaredLife(life: Life): DeclaredLifecycle | undefined {
  if (life.state === 'published') return undefined;
  return {
    state: life.state,
    ...(life.deprecatedAt !== null && { deprecated: new Date(life.deprecatedAt).toISOString() }),
    ...(life.sunsetAt !== null && { sunset: new Date(life.sunsetAt).toISOString() }),
    ...(life.successor !== null && { successor: life.successor }),
    ...(life.reason !== null && { reason: life.reason }),
  };
}

/**
 * The declarative document of a tenant: members in the order of the grammar, lists by name, nothing that is default, so
 * that equal configurations are equal byte for byte.
 */
export function exportDocument(
  versions: readonly VersionRow[],
  named: ReadonlyArray<{ readonly kind: Kind; readonly rows: readonly NamedRow<object>[] }>,
): DeclarativeInput {
  const members: Record<string, object> = { services: versions.map(declaredVersion) };
  for (const { kind, rows } of named) {
    if (kind.list === 'defaults') for (const { spec } of rows) Object.assign(members, spec);
    else members[kind.list] = rows.map((row) => withoutDefaults(kind.schema, declaredOf(row)));
  }
  return withoutDefaults(declarative, { sallyport: 1, ...members }) as DeclarativeInput;
}

/** What an audit record may hold: these documents carry references to secrets, never secrets. */
export function auditable(value: object): Json {
  return JSON.parse(JSON.stringify(value)) as Json;
}
