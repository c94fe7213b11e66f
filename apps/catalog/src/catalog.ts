import {
  checkDeclarative,
  refuse,
  RefusalError,
  uuidv7,
  type DeclaredService,
  type Json,
  type VersionSpec,
  type Violation,
} from '@sallyport/contracts';
import { writeOutbox, type Runtime } from '@sallyport/platform';
import { changeCommitted } from '@sallyport/trail';
import type { DataSource, EntityManager } from 'typeorm';
import { applyDocument } from './apply';
import { versionAddress } from './configuration';
import { Editing, unconditional, type Change, type Editor, type Precondition } from './editing';
import { kinds, placedIn, type Kind } from './kinds';
import type { LifecycleRules, LifecycleStep } from './lifecycle';
import type { Finding } from './preflight';
import { EDITOR_LOCK, revisionName, takeLock, type Publisher, type Recorded } from './publisher';
import { SCHEMA } from './store/catalog-tables';
import { appendChange } from './store/changes';
import { versions } from './store/services';
import { TENANT } from './tenant';
import { namedView, serviceView, versionView, type NamedView, type ServiceView, type VersionView } from './views';

/** How long an editor waits for the bus after the commit; what is late is delivered all the same. */
const DELIVERY_WAIT_MS = 2_000;

/** How an edit is asked for. */
export interface EditRequest {
  readonly editor: Editor;
  /** Do everything but keep it. */
  readonly dryRun?: boolean;
  /** `If-Match` of the request. */
  readonly ifMatch?: Precondition;
  readonly requestId?: string;
}

/** Pointer into the request for an object that the request is the document of. */
type Place = (object: string) => string | undefined;

/** A finding with the place in the request, or in the catalog, that it is about. */
interface PlacedFinding extends Omit<Finding, 'object' | 'pointer'> {
  readonly where: string;
}

export interface Edited<Result> {
  readonly result: Result;
  readonly changes: readonly Change[];
  /** The revision the edit is in; the present one when it changes nothing that is served. */
  readonly revision: string;
  /** Warnings about the objects that were edited. */
  readonly findings: readonly PlacedFinding[];
}

export interface CatalogParts {
  readonly database: DataSource;
  readonly runtime: Runtime;
  readonly publisher: Publisher;
  readonly rules: LifecycleRules;
  /** Called when an edit has put records into the outbox. */
  readonly onCommitted: () => void;
}

/** Everything that changes the catalog, one method each. Controllers, the timetable and the all-in-one call nothing else. */
export class Catalog {
  constructor(private readonly parts: CatalogParts) {}

  createNamed(kind: Kind, declared: { name: string }, request: EditRequest): Promise<Edited<NamedView>> {
    return this.edit(request, only(`${kind.list}/${declared.name}`), async (editing) =>
      namedView(await editing.createNamed(kind, declared)),
    );
  }

  /** @param declaredFrom makes the new document from the present one. */
  replaceNamed(
    kind: Kind,
    name: string,
    declaredFrom: (present: object) => { name: string },
    request: EditRequest,
  ): Promise<Edited<NamedView>> {
    return this.edit(request, only(`${kind.list}/${name}`), async (editing) =>
      namedView(await editing.replaceNamed(kind, name, declaredFrom, request.ifMatch)),
    );
  }

  removeNamed(kind: Kind, name: string, request: EditRequest): Promise<Edited<void>> {
    return this.edit(request, nowhere, (editing) => editing.removeNamed(kind, name, request.ifMatch));
  }

  createService(
    { name, kind }: Pick<DeclaredService, 'name' | 'kind'>,
    request: EditRequest,
  ): Promise<Edited<ServiceView>> {
    return this.edit(request, nowhere, async (editing) => serviceView(await editing.createService(name, kind)));
  }

  removeService(name: string, request: EditRequest): Promise<Edited<void>> {
    return this.edit(request, nowhere, (editing) => editing.removeService(name, request.ifMatch));
  }

  createVersion(
    service: string,
    { version, ...spec }: VersionSpec & { version: string },
    request: EditRequest,
  ): Promise<Edited<VersionView>> {
    return this.edit(request, only(versionAddress({ service, version })), async (editing) =>
      versionView(await editing.createVersion(service, version, spec)),
    );
  }

  /** @param specFrom makes the new spec from the present one. */
  editVersion(
    service: string,
    version: string,
    specFrom: (present: VersionSpec) => VersionSpec,
    request: EditRequest,
  ): Promise<Edited<VersionView>> {
    return this.edit(request, only(versionAddress({ service, version })), async (editing) =>
      versionView(await editing.editVersion(service, version, specFrom, request.ifMatch)),
    );
  }

  stepVersion(
    service: string,
    version: string,
    step: LifecycleStep,
    request: EditRequest,
  ): Promise<Edited<VersionView>> {
    return this.edit(request, nowhere, async (editing) =>
      versionView(await editing.stepVersion(service, version, step, request.ifMatch ?? unconditional)),
    );
  }

  removeVersion(service: string, version: string, request: EditRequest): Promise<Edited<void>> {
    return this.edit(request, nowhere, (editing) => editing.removeVersion(service, version, request.ifMatch));
  }

  /**
   * Brings the configuration to what a document declares: all of it in one transaction and one revision, or nothing.
   * What the document does not name stays as it is.
   *
   * @param source as parsed from the file, not yet checked
   * @throws RefusalError with a pointer into the document for everything that stands against it
   */
  async apply(source: unknown, request: EditRequest): Promise<Edited<void>> {
    const { document, violations } = checkDeclarative(source);
    if (!document) throw violation(violations);
    const places = new Map<string, string>();
    for (const [index, { name: service, version }] of document.services.entries()) {
      places.set(versionAddress({ service, version }), `/services/${index}`);
    }
    for (const kind of kinds) {
      for (const { declared, place } of placedIn(document, kind)) places.set(`${kind.list}/${declared.name}`, place);
    }
    return this.edit(
      request,
      (object) => places.get(object),
      (editing) => applyDocument(document, editing),
    );
  }

  /**
   * Ends what has reached its sunset.
   * @throws RefusalError when a version cannot be ended, as in a configuration that is no longer fit; the others are.
   */
  async endDueVersions(): Promise<void> {
    const due = await versions.due(this.manager, this.parts.runtime.clock.now());
    let refused: RefusalError | undefined;
    for (const { service, version } of due) {
      const byDate = { event: 'sunset', by: 'date' } as const;
      try {
        await this.stepVersion(service, version, byDate, { editor: { name: 'catalog', via: 'api' } });
      } catch (error) {
        if (!(error instanceof RefusalError)) throw error;
        if (!isSettled(error)) refused = error;
      }
    }
    if (refused) throw refused;
  }

  /** Makes the first revision, or one that an upgrade compiles differently, and brings the bus to it. */
  async publishNow(): Promise<void> {
    const author = { name: 'catalog', now: this.parts.runtime.clock.now() };
    await this.parts.database.transaction(async (manager) => {
      await takeLock(manager, EDITOR_LOCK);
      const { findings, revision } = await this.parts.publisher.record(manager, author);
      if (revision !== undefined) return;
      // Served on as it was: refusing to start would turn a finding into an outage.
      this.parts.runtime.logger.error(
        { findings: findings.filter(({ severity }) => severity === 'error').slice(0, 10) },
        'the stored configuration no longer compiles; the last revision stays',
      );
    });
    await this.parts.publisher.deliver();
  }

  /**
   * Runs edits in one transaction: rows, history, audit records and revision are all committed, or none of them.
   *
   * @throws RefusalError when an edit is refused, or when the configuration it leads to is not fit to be served
   */
  private async edit<Result>(
    request: EditRequest,
    place: Place,
    work: (editing: Editing) => Promise<Result>,
  ): Promise<Edited<Result>> {
    const edited = await this.inTransaction(request.dryRun === true, (manager) =>
      this.editWithin(manager, request, place, work),
    );
    if (request.dryRun !== true && edited.changes.length > 0) {
      this.parts.onCommitted();
      await this.deliverSoon();
    }
    return edited;
  }

  private async editWithin<Result>(
    manager: EntityManager,
    { editor, requestId }: EditRequest,
    place: Place,
    work: (editing: Editing) => Promise<Result>,
  ): Promise<Edited<Result>> {
    const { runtime, publisher, rules } = this.parts;
    await takeLock(manager, EDITOR_LOCK);
    // Read under the lock, so that moments in the history rise with the order of edits.
    const now = runtime.clock.now();
    const editing = new Editing({ manager, tenant: TENANT, editor, now, random: runtime.random, rules });
    const result = await work(editing);
    const recorded = await publisher.record(manager, { name: editor.name, now });
    const revision = requireFit(recorded, place);
    for (const change of editing.changes) {
      await this.writeDown(manager, change, { editor, now, revision, requestId });
    }
    return {
      result,
      changes: editing.changes,
      revision: revisionName(revision),
      findings: warningsAbout(recorded.findings, editing.changes, place),
    };
  }

  private async writeDown(
    manager: EntityManager,
    change: Change,
    { editor, now, revision, requestId }: { editor: Editor; now: number; revision: number; requestId?: string },
  ): Promise<void> {
    const { random } = this.parts.runtime;
    const id = uuidv7(now, random);
    await appendChange(manager, { id, tenant: TENANT, change, editor, now, revision });
    const event = changeCommitted({
      tenant: TENANT,
      actor: editor,
      object: change.object,
      action: change.action,
      ...(change.before && { before: change.before as Json }),
      ...(change.after && { after: change.after as Json }),
      ...(change.reason !== undefined && { reason: change.reason }),
      ...(requestId !== undefined && { requestId }),
      configVersion: revisionName(revision),
      now,
      random,
    });
    await writeOutbox(manager, SCHEMA, event);
  }

  private async inTransaction<T>(dryRun: boolean, work: (manager: EntityManager) => Promise<T>): Promise<T> {
    try {
      return await this.parts.database.transaction(async (manager) => {
        const result = await work(manager);
        if (dryRun) throw new NotKept(result);
        return result;
      });
    } catch (error) {
      if (error instanceof NotKept) return error.result as T;
      throw refusalOfText(error) ?? error;
    }
  }

  /** The edit is committed: whatever the bus does now, the answer is yes, and the timetable delivers what is late. */
  private async deliverSoon(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, DELIVERY_WAIT_MS);
    });
    const delivered = this.parts.publisher.deliver().catch((error: unknown) => {
      this.parts.runtime.logger.warn({ err: error }, 'the configuration is committed but not delivered yet');
    });
    await Promise.race([delivered, late]);
    clearTimeout(timer);
  }

  private get manager(): EntityManager {
    return this.parts.database.manager;
  }
}

/** Somebody moved, ended or removed the version in between: there is nothing left to do. */
function isSettled({ refusal, errors }: RefusalError): boolean {
  const { code } = refusal;
  return code === 'CATALOG_NOT_FOUND' || code === 'CATALOG_STATE_CONFLICT' || errors[0]?.code === 'lifecycle';
}

/** Takes a result out of a transaction that is rolled back. */
class NotKept extends Error {
  constructor(readonly result: unknown) {
    super('a dry run keeps nothing');
  }
}

/** @throws RefusalError with all errors when there are any; a conflict of routes is one with what exists. */
function requireFit({ findings, revision }: Recorded, place: Place): number {
  if (revision !== undefined) return revision;
  const faults = findings.filter(({ severity }) => severity === 'error');
  const violations = faults.map((finding) => ({
    pointer: whereOf(finding, place),
    code: finding.code,
    detail: `${finding.message}. ${finding.fix}`,
  }));
  const conflict = faults.find(({ code }) => code === 'ROUTE_CONFLICT');
  if (conflict) throw new RefusalError(refuse('CATALOG_CONFLICT', { reason: conflict.message }), violations);
  throw violation(violations);
}

function violation(violations: readonly Violation[]): RefusalError {
  const { pointer, detail } = violations[0]!;
  return new RefusalError(
    refuse('SCHEMA_VIOLATION', { reason: `${pointer || 'the document'}: ${detail.replace(/\.$/, '')}` }),
    violations,
  );
}

function whereOf({ object, pointer }: Finding, place: Place): string {
  return `${place(object) ?? `/${object}`}${pointer}`;
}

function warningsAbout(findings: readonly Finding[], changes: readonly Change[], place: Place): PlacedFinding[] {
  const edited = new Set(changes.map(({ address }) => address));
  return findings
    .filter(({ object }) => edited.has(object))
    .map(({ object, pointer, ...rest }) => ({ ...rest, where: whereOf({ object, pointer, ...rest }, place) }));
}

/** Postgres keeps no U+0000 and no lone surrogate; both can stand in JSON. */
function refusalOfText(error: unknown): RefusalError | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  if (code !== '22P05' && code !== '22P02' && code !== '22021') return undefined;
  return new RefusalError(refuse('SCHEMA_VIOLATION', { reason: 'a text holds a character that cannot be stored' }));
}

/** The request is the document of this one object. */
function only(own: string): Place {
  return (object) => (object === own ? '' : undefined);
}

/** The request is no document: findings point into the catalog. */
const nowhere: Place = () => undefined;
