import { systemClock } from '@sallyport/contracts';
import { spoolOptions, trailOver, type SpoolPlace, type TrailOptions } from './open-trail';
import { claimOrphans } from './producer-folders';
import { startShipper, type Shipper, type ShipperOptions } from './shipper';
import { Spool } from './spool';

/** How often to look for folders that nobody holds: longer than a process takes to come back to its own. */
const LOOK_MS = 60_000;
/** How often to see whether an orphan's records are all committed. */
const CHECK_MS = 1_000;

export interface OrphanOptions extends SpoolPlace, Pick<ShipperOptions, 'publish'> {
  /** Begins to watch a spool that was adopted. */
  readonly watch: (spool: Spool) => void;
  /** Told when a folder cannot be adopted; it is tried again. */
  readonly onFailure?: (error: unknown) => void;
}

export interface Orphanage {
  /** The consumer has committed a chain up to `seq`. */
  committed(chain: string, seq: number): void;
  close(): Promise<void>;
}

/** Ships what is left of audit trails. */
export function adoptTrails(options: TrailOptions & Omit<OrphanOptions, 'watch'>): Orphanage {
  return adoptOrphans({ ...options, watch: (spool) => void trailOver(spool, options) });
}

/**
 * Ships the records of processes that are gone and do not come back, as after scaling down: their folders are claimed,
 * shipped under their own chains, and removed once all is committed.
 */
export function adoptOrphans(options: OrphanOptions): Orphanage {
  const place = spoolOptions(options);
  const { scheduler } = place;
  const adopted = new Map<Spool, Shipper>();
  let working = Promise.resolve();
  let closed = false;
  let cancel = () => {};

  async function look(): Promise<void> {
    for await (const claim of claimOrphans(place.root, place.app, place)) {
      // One that cannot be opened is no reason to leave the others.
      await Spool.openClaimed(place, claim).then(adopt, options.onFailure);
    }
  }

  function adopt(spool: Spool): void {
    options.watch(spool);
    const { clock = systemClock, publish } = options;
    adopted.set(spool, startShipper({ spool, clock, scheduler, publish }));
  }

  async function retireShipped(): Promise<void> {
    for (const [spool, shipper] of adopted) {
      await spool.flush();
      if (shipper.waiting() > 0) continue;
      adopted.delete(spool);
      await shipper.close();
      await spool.retire();
    }
  }

  function plan(): void {
    if (closed) return;
    cancel = scheduler.after(adopted.size > 0 ? CHECK_MS : LOOK_MS, () => {
      const work = adopted.size > 0 ? retireShipped() : look();
      working = work.catch((error: unknown) => options.onFailure?.(error)).then(plan);
    });
  }
  plan();

  return {
    committed(chain, seq) {
      for (const shipper of adopted.values()) shipper.committed(chain, seq);
    },
    async close() {
      closed = true;
      cancel();
      await working;
      for (const [spool, shipper] of adopted) {
        await shipper.close();
        await spool.close();
      }
    },
  };
}
