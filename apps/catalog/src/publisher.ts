import {
  buckets,
  snapshot as snapshotSchema,
  snapshotHead,
  uuidv7,
  type Snapshot,
  type SnapshotHead,
} from '@sallyport/contracts';
import {
  type EncodedSnapshot,
  inSlices,
  publishDocument,
  requireSize,
  type Runtime,
  type Sliced,
  SnapshotRejected,
  SnapshotWriter,
} from '@sallyport/platform';
import type { DataSource, EntityManager } from 'typeorm';
import { compile, contentDigest } from './compile';
import { loadConfiguration } from './load';
import { preflight, type Finding, type PolicyRules } from './preflight';
import { snapshots, type SnapshotRow } from './store/snapshots';

/** Key of the advisory lock that the one publisher of a cluster holds while it moves the head. */
const PUBLISHER_LOCK = 'sallyport catalog publisher';

/** Key of the advisory lock of editors: edits come one after the other, so each judges the whole as it will be. */
export const EDITOR_LOCK = 'sallyport catalog editor';

/** What an edit does to the configuration that is served. */
export interface Recorded {
  readonly findings: readonly Finding[];
  /** The revision the edit is in; undefined when findings stand against it. */
  readonly revision: number | undefined;
}

/**
 * Makes revisions and brings them to the nodes. A revision is recorded in the transaction of the edit that makes it;
 * delivery follows the commit and is repeated until the bus agrees with Postgres, so that a crash in between, or a bus
 * that has forgotten everything, costs time and nothing else.
 */
export class Publisher {
  private delivering: Promise<void> | undefined;
  private again = false;
  private readonly writer = new SnapshotWriter();

  constructor(
    private readonly database: DataSource,
    private readonly runtime: Runtime,
    private readonly policyRules: PolicyRules,
  ) {}

  /**
   * Judges and compiles what the transaction sees, and stores it as a new revision if it says anything new.
   * The caller holds the lock of editors.
   */
  async record(manager: EntityManager, author: { name: string; now: number }): Promise<Recorded> {
    const configuration = await loadConfiguration(manager);
    const findings = await this.inSlices(preflight(configuration, this.policyRules, author.now));
    if (findings.some(({ severity }) => severity === 'error')) return { findings, revision: undefined };
    const latest = await snapshots.latest(manager);
    const revision = (latest?.revision ?? 0) + 1;
    const compiled = await this.inSlices(compile(configuration, { revision: revisionName(revision), now: author.now }));
    const digest = await this.inSlices(contentDigest(compiled));
    if (digest === latest?.contentSha256) return { findings, revision: latest.revision };
    const encoded = await this.encode(compiled, latest?.bytes);
    if (encoded instanceof SnapshotRejected)
      return { findings: [...findings, notServable(encoded)], revision: undefined };
    await this.store(manager, encoded, digest, revision, author);
    return { findings, revision };
  }

  /** The newest revision, with its canonical JSON unless the asker knows it. */
  async read(known: string): Promise<{ revision: string; sha256: string; document: string | undefined } | undefined> {
    const { manager } = this.database;
    const latest = await snapshots.latest(manager);
    if (!latest) return undefined;
    const revision = revisionName(latest.revision);
    const document = revision === known ? undefined : await snapshots.document(manager, latest.revision);
    return { revision, sha256: latest.sha256, document };
  }

  async latest(): Promise<SnapshotRow | undefined> {
    return snapshots.latest(this.database.manager);
  }

  /** Brings the head on the bus to the newest revision. Calls that come meanwhile share one further run. */
  deliver(): Promise<void> {
    if (this.delivering) {
      this.again = true;
      return this.delivering;
    }
    this.delivering = this.deliverUntilQuiet().finally(() => {
      this.delivering = undefined;
    });
    return this.delivering;
  }

  private async deliverUntilQuiet(): Promise<void> {
    do {
      this.again = false;
      await this.database.transaction((manager) => this.deliverOnce(manager));
    } while (this.again);
  }

  private async deliverOnce(manager: EntityManager): Promise<void> {
    await takeLock(manager, PUBLISHER_LOCK);
    const latest = await snapshots.latest(manager);
    if (!latest) return;
    const head = await this.head();
    if (head?.revision === latest.revision && head.sha256 === latest.sha256) return;
    const isBehind = head !== undefined && head.revision >= latest.revision;
    const encoded = isBehind ? await this.overtake(manager, head.revision) : await this.stored(manager, latest);
    await publishDocument(this.runtime.bus, encoded);
    this.runtime.logger.info({ revision: encoded.revision }, 'configuration published');
  }

  /** It was checked when it was stored, and is what readers are to get, byte for byte. */
  private async stored(manager: EntityManager, { revision, sha256 }: SnapshotRow): Promise<EncodedSnapshot> {
    const document = (await snapshots.document(manager, revision))!;
    return { revision: revisionName(revision), sha256, document: Buffer.from(document) };
  }

  /** The database is older than the bus, as after a restore: nodes follow rising numbers only, so count on from theirs. */
  private async overtake(manager: EntityManager, head: number): Promise<EncodedSnapshot> {
    // What an editor commits meanwhile would be left behind by what is older and has the higher number.
    await takeLock(manager, EDITOR_LOCK);
    const latest = (await snapshots.latest(manager))!;
    if (latest.revision > head) return this.stored(manager, latest);
    const snapshot = snapshotSchema.parse(JSON.parse((await snapshots.document(manager, latest.revision))!));
    const now = this.runtime.clock.now();
    const revision = head + 1;
    const restamped = { ...snapshot, revision: revisionName(revision), createdAt: new Date(now).toISOString() };
    const digest = await this.inSlices(contentDigest(restamped));
    const encoded = await this.inSlices(this.writer.encode(restamped));
    await this.store(manager, encoded, digest, revision, { name: 'catalog', now });
    return encoded;
  }

  /** However large a configuration is: in one process with the data plane, requests get their turns. */
  private inSlices<T>(work: Sliced<T>): Promise<T> {
    return inSlices(work, { clock: this.runtime.clock, budgetMs: Infinity });
  }

  private async head(): Promise<{ revision: number; sha256: string } | undefined> {
    const bucket = await this.runtime.bus.kv(buckets.snapshots);
    const entry = await bucket.get('head');
    const head = entry && entry.operation === 'put' ? readHead(entry.value) : undefined;
    return head && { revision: Number(head.revision.slice(2)), sha256: head.sha256 };
  }

  /**
   * What any reader would refuse is refused here, before it is committed.
   * @param lastBytes size of the document that readers run on
   */
  private async encode(compiled: Snapshot, lastBytes: number | undefined): Promise<EncodedSnapshot | SnapshotRejected> {
    try {
      const encoded = await this.inSlices(this.writer.encode(compiled));
      requireSize(encoded.document.length, lastBytes);
      return encoded;
    } catch (error) {
      if (error instanceof SnapshotRejected) return error;
      throw error;
    }
  }

  private async store(
    manager: EntityManager,
    encoded: EncodedSnapshot,
    contentSha256: string,
    revision: number,
    author: { name: string; now: number },
  ): Promise<void> {
    await snapshots.insert(
      manager,
      {
        id: uuidv7(author.now, this.runtime.random),
        tenant: 'default',
        revision,
        sha256: encoded.sha256,
        contentSha256,
        document: Buffer.from(encoded.document).toString('utf8'),
      },
      author,
    );
  }
}

/** The whole is at fault, and no object of it: it has too many entries, or is far larger than what is in use. */
function notServable({ field, fault }: SnapshotRejected): Finding {
  return {
    code: 'NOT_SERVABLE',
    severity: 'error',
    object: 'configuration',
    pointer: '',
    message: `no node takes the configuration that this leads to: ${field}: ${fault}`,
    fix: 'Apply what is much larger than the configuration in use part by part, and remove what is not used any more.',
  };
}

/** @returns undefined for what no reader takes either: it is overwritten. */
function readHead(value: Uint8Array): SnapshotHead | undefined {
  try {
    return snapshotHead.parse(JSON.parse(Buffer.from(value).toString('utf8')));
  } catch {
    return undefined;
  }
}

/** `c_318` */
export function revisionName(revision: number): string {
  return `c_${revision}`;
}

/** Waits for a lock that lasts until the end of the transaction. */
export async function takeLock(manager: EntityManager, name: string): Promise<void> {
  await manager.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [name]);
}
