import { systemClock, type Clock, type Json, type RandomBytes } from '@sallyport/contracts';
import type { Entry } from './entry';
import { eventText, isWritten } from './event';
import { lossesOf } from './gap';
import { controlReported } from './kinds';
import { nodeFileSystem, nodeProcesses, nodeScheduler } from './node-ports';
import type { FileSystem, Processes, Scheduler } from './ports';
import type { SpoolRecord } from './segment';
import { Spool, type SpoolOptions } from './spool';
import type { SpoolNote } from './spool-notes';
import type { AuditEvent, Receipt, Trail } from './trail';

export interface SpoolPlace {
  /** Folder of the lane; every producer has a folder in it. */
  readonly directory: string;
  readonly app: string;
  readonly cluster: string;
  /** Bytes the producer's folder may hold. */
  readonly maxBytes: number;
  readonly random: RandomBytes;
  readonly clock?: Clock;
  readonly files?: FileSystem;
  readonly scheduler?: Scheduler;
  readonly processes?: Processes;
}

export interface TrailOptions extends SpoolPlace {
  /** Version of Sallyport, for the record's `product`. */
  readonly version: string;
  /** Tenant of records about the trail itself. */
  readonly tenant: string;
  /** Told beside the record that is written, for the log. */
  readonly onNote?: (note: SpoolNote) => void;
}

/** A trail and the spool behind it, which the shipper reads. */
export interface OpenTrail extends Trail {
  /** `<app>-<n>`: another one once its folder was lost. */
  readonly producer: string;
  readonly spool: Spool;
}

/** Opens a lane that is no audit trail, such as `usage`: its user writes the bodies and watches the spool. */
export function openSpool(place: SpoolPlace): Promise<Spool> {
  return Spool.open(spoolOptions(place));
}

/** Opens the audit trail of one process. @throws when no folder can be claimed or written. */
export async function openTrail(options: TrailOptions): Promise<OpenTrail> {
  return trailOver(await openSpool(options), options);
}

/** A place with the ports of this host where none were handed in. */
export function spoolOptions(place: SpoolPlace): SpoolOptions {
  return {
    root: place.directory,
    app: place.app,
    cluster: place.cluster,
    maxBytes: place.maxBytes,
    random: place.random,
    clock: place.clock ?? systemClock,
    files: place.files ?? nodeFileSystem,
    scheduler: place.scheduler ?? nodeScheduler,
    processes: place.processes ?? nodeProcesses(),
  };
}

/** Writes events, and what happens to the spool itself, into a spool. */
export function trailOver(spool: Spool, options: TrailOptions): OpenTrail {
  const { cluster, version, clock = systemClock } = options;

  function entryOf(event: AuditEvent): Entry {
    return {
      uid: event.uid,
      label: labelOf(event),
      control: !event.kind.startsWith('request.'),
      body: (chain, seq) =>
        eventText(event, { cluster, chain, producer: spool.producer, seq, now: clock.now(), version }),
    };
  }
  const append = (event: AuditEvent): Receipt => spool.append(entryOf(event));

  spool.watch({
    note(note) {
      options.onNote?.(note);
      return append(recordOf(note, options));
    },
    entryOf(record) {
      const event = eventOf(record);
      return event && entryOf(event);
    },
  });

  return {
    get producer() {
      return spool.producer;
    },
    spool,
    append,
    room: () => spool.room(),
    has: (uid) => spool.has(uid),
    close: () => spool.close(),
  };
}

function labelOf(event: AuditEvent): string {
  return `${event.kind}/${(isWritten(event) ? event.routeClass : classIn(event)) ?? '-'}`;
}

/** Of an event that comes back from a damaged chain, or was made by hand. */
function classIn({ body }: AuditEvent): string | undefined {
  const { sallyport } = (body['unmapped'] ?? {}) as { readonly sallyport?: { readonly route_class?: Json } };
  return typeof sallyport?.route_class === 'string' ? sallyport.route_class : undefined;
}

const failures: ReadonlySet<SpoolNote['what']> = new Set([
  'damage',
  'sync-failed',
  'write-failed',
  'folder-lost',
  'gap',
]);

function recordOf(note: SpoolNote, options: TrailOptions): AuditEvent {
  const { what, ...detail } = note.what === 'gap' ? { what: note.what, ...gapDetail(note.gap) } : note;
  const record = controlReported({
    now: (options.clock ?? systemClock).now(),
    random: options.random,
    tenant: options.tenant,
    app: options.app,
    what,
    detail: detail,
    state: failures.has(what) ? 'failed' : undefined,
  });
  // The gap's uid was fixed when the first record was lost: a second statement of it is recognised by that.
  return note.what === 'gap' ? { ...record, uid: note.gap.uid } : record;
}

function gapDetail(gap: Parameters<typeof lossesOf>[0]): { readonly [name: string]: Json } {
  return { counts: gap.counts, first: gap.first, last: gap.last, losses: lossesOf(gap) };
}

/** An event as it was before it was stamped into the damaged chain. */
function eventOf({ body }: SpoolRecord): AuditEvent | undefined {
  try {
    const { attestation_list: _, ...document } = JSON.parse(body.toString()) as { [name: string]: Json };
    const { uid, tenant_uid } = document['metadata'] as { readonly uid: string; readonly tenant_uid: string };
    const { sallyport } = document['unmapped'] as { readonly sallyport: { readonly kind: string } };
    return { uid, kind: sallyport.kind, tenant: tenant_uid, body: document };
  } catch {
    return undefined;
  }
}
