import {
  refuse,
  RefusalError,
  uuidv7,
  type DeclaredService,
  type RandomBytes,
  type VersionSpec,
  type Violation,
} from '@sallyport/contracts';
import type { EntityManager } from 'typeorm';
import { usersOf, versionAddress } from './configuration';
import type { Kind } from './kinds';
import { isStepRefused, newborn, step, type LifecycleRules, type LifecycleStep } from './lifecycle';
import { loadConfiguration } from './load';
import type { NamedRow } from './store/named-table';
import type { Author } from './store/row';
import { lastRevision } from './store/changes';
import { services, versions, type ServiceRow, type VersionRow } from './store/services';
import { auditable, declaredOf, versionFacts } from './views';

/** Who changes something, as the audit trail names them. */
export interface Editor {
  readonly name: string;
  readonly via: 'api' | 'cli' | 'console' | 'file';
}

/** One object that an edit made, changed or removed. */
export interface Change {
  readonly object: { readonly type: string; readonly id: string; readonly name: string };
  /** Place of the object in the admin API, as findings name it. */
  readonly address: string;
  readonly action: 'create' | 'update' | 'delete';
  /** The step of the lifecycle, where it was one. */
  readonly event?: string;
  readonly fromRev?: number;
  readonly toRev?: number;
  readonly before?: object;
  readonly after?: object;
  readonly reason?: string;
}

export interface EditingOptions {
  readonly manager: EntityManager;
  readonly tenant: string;
  readonly editor: Editor;
  /** Milliseconds since the epoch: the moment of every change of this edit. */
  readonly now: number;
  readonly random: RandomBytes;
  readonly rules: LifecycleRules;
}

/** Stands for `If-Match` where a step or a document is named, which cannot overwrite anything unseen. */
export const unconditional = Symbol('unconditional');

/** `If-Match` of a request; undefined: the request has none, and needs one. */
export type Precondition = string | undefined | typeof unconditional;

/**
 * The edits of one transaction. Every method writes rows and notes one change; nobody else writes them. What the notes
 * become (history, audit, a revision) is the business of {@link Catalog}.
 */
export class Editing {
  readonly changes: Change[] = [];
  readonly manager: EntityManager;
  readonly tenant: string;
  /** Milliseconds since the epoch: the moment of every change. */
  readonly now: number;
  private readonly author: Author;

  constructor(private readonly options: EditingOptions) {
    ({ manager: this.manager, tenant: this.tenant, now: this.now } = options);
    this.author = { name: options.editor.name, now: options.now };
  }

  async createNamed(kind: Kind, declared: { name: string }): Promise<NamedRow<object>> {
    const { manager, tenant } = this;
    const { name, ...spec } = declared;
    if (await kind.table.find(manager, tenant, name)) throw taken(kind.noun, name);
    const rev = await this.nextRevision(kind.noun, name);
    await kind.table.insert(manager, { id: this.newId(), tenant, rev, name, spec }, this.author);
    const row = (await kind.table.find(manager, tenant, name))!;
    this.note(kind.noun, row.id, name, `${kind.list}/${name}`, {
      action: 'create',
      toRev: row.rev,
      after: declaredOf(row),
    });
    return row;
  }

  async replaceNamed(
    kind: Kind,
    name: string,
    declaredFrom: (present: object) => { name: string },
    precondition: Precondition,
  ): Promise<NamedRow<object>> {
    const { manager, tenant } = this;
    const before = await this.namedRow(kind, name);
    requireMatch(before.rev, precondition);
    const { name: renamed, ...spec } = declaredFrom(declaredOf(before));
    if (renamed !== name) throw renaming(name);
    await kind.table.replace(manager, before.id, spec, this.author);
    const after = (await kind.table.find(manager, tenant, name))!;
    this.note(kind.noun, before.id, name, `${kind.list}/${name}`, {
      action: 'update',
      fromRev: before.rev,
      toRev: after.rev,
      before: declaredOf(before),
      after: declaredOf(after),
    });
    return after;
  }

  async removeNamed(kind: Kind, name: string, precondition: Precondition): Promise<void> {
    const { manager, tenant } = this;
    const before = await this.namedRow(kind, name);
    requireMatch(before.rev, precondition);
    if (kind.list !== 'consumers' && kind.list !== 'models' && kind.list !== 'defaults') {
      const users = usersOf(await loadConfiguration(manager), kind.list, tenant, name);
      if (users.length > 0) throw inUse(`${kind.noun} “${name}” is used by ${users.slice(0, 5).join(', ')}`);
    }
    await kind.table.delete(manager, before.id);
    this.note(kind.noun, before.id, name, `${kind.list}/${name}`, {
      action: 'delete',
      fromRev: before.rev,
      before: declaredOf(before),
    });
  }

  async createService(name: string, kind: string): Promise<ServiceRow> {
    const { manager, tenant } = this;
    if (await services.find(manager, tenant, name)) throw taken('service', name);
    const rev = await this.nextRevision('service', name);
    await services.insert(manager, { id: this.newId(), tenant, rev, name, kind }, this.author);
    const row = (await services.find(manager, tenant, name))!;
    this.note('service', row.id, name, `services/${name}`, { action: 'create', toRev: row.rev, after: { name, kind } });
    return row;
  }

  async removeService(name: string, precondition: Precondition): Promise<void> {
    const { manager, tenant } = this;
    const before = await this.serviceRow(name);
    requireMatch(before.rev, precondition);
    const left = await versions.page(manager, tenant, name, { after: undefined, limit: 1 });
    if (left.length > 0) throw inUse(`service “${name}” has the version “${left[0]!.version}”`);
    await services.delete(manager, before.id);
    this.note('service', before.id, name, `services/${name}`, {
      action: 'delete',
      fromRev: before.rev,
      before: { name, kind: before.kind },
    });
  }

  async createVersion(service: string, version: string, spec: VersionSpec): Promise<VersionRow> {
    const { manager, tenant } = this;
    const owner = await this.serviceRow(service);
    if (await versions.find(manager, tenant, service, version)) throw taken('version', `${service} ${version}`);
    const rev = await this.nextRevision('version', `${service}/${version}`);
    const entry = { id: this.newId(), rev, serviceId: owner.id, tenant, service, version, spec, life: newborn };
    await versions.insert(manager, entry, () => this.newId(), this.author);
    const row = await this.versionRow(service, version);
    this.noteVersion(row, { action: 'create', toRev: row.rev, after: versionFacts(row) });
    return row;
  }

  async editVersion(
    service: string,
    version: string,
    specFrom: (present: VersionSpec) => VersionSpec,
    precondition: Precondition,
  ): Promise<VersionRow> {
    const before = await this.versionRow(service, version);
    requireMatch(before.rev, precondition);
    this.afterStep(before, { event: 'edit' });
    const entry = { ...before, spec: specFrom(before.spec) };
    await versions.replaceSpec(this.manager, before.id, entry, () => this.newId(), this.author);
    const after = await this.versionRow(service, version);
    this.noteVersion(after, {
      action: 'update',
      fromRev: before.rev,
      toRev: after.rev,
      before: versionFacts(before),
      after: versionFacts(after),
    });
    return after;
  }

  async stepVersion(
    service: string,
    version: string,
    taken: LifecycleStep,
    precondition: Precondition = unconditional,
  ): Promise<VersionRow> {
    const before = await this.versionRow(service, version);
    requireMatch(before.rev, precondition);
    const life = this.afterStep(before, taken);
    await versions.replaceLife(this.manager, before.id, life, this.author);
    const after = await this.versionRow(service, version);
    this.noteVersion(after, {
      action: 'update',
      event: taken.event,
      fromRev: before.rev,
      toRev: after.rev,
      before: versionFacts(before),
      after: versionFacts(after),
      ...('reason' in taken && taken.reason !== undefined && { reason: taken.reason }),
    });
    return after;
  }

  async removeVersion(service: string, version: string, precondition: Precondition): Promise<void> {
    const before = await this.versionRow(service, version);
    requireMatch(before.rev, precondition);
    this.afterStep(before, { event: 'remove' });
    await versions.delete(this.manager, before.id);
    this.noteVersion(before, {
      action: 'delete',
      event: 'remove',
      fromRev: before.rev,
      before: versionFacts(before),
    });
  }

  /** The service of a declared entry, made when it is missing. */
  async ensureService({ name, kind }: DeclaredService): Promise<void> {
    const present = await services.find(this.manager, this.tenant, name);
    if (!present) await this.createService(name, kind);
    else if (present.kind !== kind) throw inUse(`service “${name}” is of the kind ${present.kind}`);
  }

  private async namedRow(kind: Kind, name: string): Promise<NamedRow<object>> {
    const row = await kind.table.find(this.manager, this.tenant, name);
    if (!row) throw missing(kind.noun, name);
    return row;
  }

  private async serviceRow(name: string): Promise<ServiceRow> {
    const row = await services.find(this.manager, this.tenant, name);
    if (!row) throw missing('service', name);
    return row;
  }

  private async versionRow(service: string, version: string): Promise<VersionRow> {
    const row = await versions.find(this.manager, this.tenant, service, version);
    if (!row) throw missing('version', `${service} ${version}`);
    return row;
  }

  private afterStep(row: VersionRow, taken: LifecycleStep): VersionRow['life'] {
    const outcome = step(row.life, taken, this.now, this.options.rules);
    if (isStepRefused(outcome)) throw new RefusalError(outcome.refusal, outcome.violations);
    return outcome;
  }

  private note(
    type: string,
    id: string,
    name: string,
    address: string,
    change: Omit<Change, 'object' | 'address'>,
  ): void {
    this.changes.push({
      object: { type, id, name },
      address,
      ...change,
      ...(change.before && { before: auditable(change.before) as object }),
      ...(change.after && { after: auditable(change.after) as object }),
    });
  }

  private noteVersion(row: VersionRow, change: Omit<Change, 'object' | 'address'>): void {
    this.note('version', row.id, `${row.service}/${row.version}`, versionAddress(row), change);
  }

  private async nextRevision(type: string, name: string): Promise<number> {
    return (await lastRevision(this.manager, this.tenant, type, name)) + 1;
  }

  private newId(): string {
    return uuidv7(this.now, this.options.random);
  }
}

/** The strong entity tag of a revision (RFC 9110 §8.8.3). */
export function entityTag(rev: number): string {
  return `"${rev}"`;
}

/** RFC 9110 §13.1.1; `*` is no answer to "which state have you seen?". */
function requireMatch(rev: number, precondition: Precondition): void {
  if (precondition === unconditional) return;
  if (precondition === undefined || precondition.trim() === '*') {
    throw new RefusalError(refuse('CATALOG_PRECONDITION_REQUIRED'));
  }
  const tags = precondition.split(',').map((tag) => tag.trim());
  if (!tags.includes(entityTag(rev))) {
    throw new RefusalError(refuse('CATALOG_PRECONDITION_FAILED', { etag: entityTag(rev) }));
  }
}

export function missing(kind: string, name: string): RefusalError {
  return new RefusalError(refuse('CATALOG_NOT_FOUND', { kind, name }));
}

function taken(kind: string, name: string): RefusalError {
  return inUse(`${kind} “${name}” exists`);
}

function inUse(reason: string): RefusalError {
  return new RefusalError(refuse('CATALOG_CONFLICT', { reason }));
}

function renaming(name: string): RefusalError {
  const fault: Violation = { pointer: '/name', code: 'custom', detail: `the name is “${name}” and cannot change` };
  return new RefusalError(refuse('SCHEMA_VIOLATION', { reason: fault.detail }), [fault]);
}
