export * from './facts';
export type { Gap } from './gap';
export {
  changeCommitted,
  controlReported,
  findingRaised,
  logRead,
  requestAdmitted,
  requestCompleted,
  sessionRefused,
} from './kinds';
export { openSpool, openTrail, type OpenTrail, type SpoolPlace, type TrailOptions } from './open-trail';
export { adoptOrphans, type Orphanage, type OrphanOptions } from './orphans';
export type { FileSystem, Processes, Scheduler, SpoolFile } from './ports';
export { createPseudonym } from './pseudonym';
export { startShipper, type Shipper, type ShipperOptions } from './shipper';
export type { Entry, Spool, SpoolNote, SpoolWatcher } from './spool';
export * from './trail';
