import type { RouteClass, Snapshot } from '@sallyport/contracts';
import { PolicyError, type CompiledRoutes, type PolicyCompiler } from '@sallyport/pipeline';
import { SnapshotRejected, TookTooLong, type Sliced } from '@sallyport/platform';
import { compileConfiguration, type Configuration } from './configuration';
import { routesOfModels } from './model-routes';

/** What others keep per configuration, made ready. */
export interface Prepared {
  /** Takes it into use, in the same step as the configuration. */
  readonly commit: () => void;
  /** What is left to be done then. */
  readonly settle: () => Sliced<void>;
}

/** The configuration this process runs on: one pointer, swapped between two requests. */
export class CurrentConfiguration {
  private configuration: Configuration | undefined;

  /**
   * @param policies compiles what routes carry, and keeps what did not change from one revision to the next.
   * @param prepare makes ready what others keep per configuration; a throw leaves everything as it was.
   */
  constructor(
    private readonly policies: PolicyCompiler,
    private readonly prepare: (configuration: Configuration) => Sliced<Prepared>,
  ) {}

  get current(): Configuration | undefined {
    return this.configuration;
  }

  /** Class of a virtual model; undefined where there is none of this name. */
  classOf(tenant: string, model: string): RouteClass | undefined {
    return this.configuration?.modelClasses.get(`${tenant}/${model}`);
  }

  /**
   * Compiles, piece by piece between requests, and swaps in one step. Requests under way keep what they started with.
   * @throws SnapshotRejected when the snapshot cannot be compiled; then nothing has changed.
   */
  *apply(snapshot: Snapshot): Sliced<void> {
    const compiled = yield* this.compilePolicies(snapshot);
    let prepared: Prepared;
    try {
      const { length } = snapshot.routes;
      const routes = compiled.routes.slice(0, length);
      const next = yield* compileConfiguration(snapshot, routes, compiled.routes.slice(length));
      prepared = yield* this.prepare(next);
      prepared.commit();
      this.configuration = next;
    } catch (error) {
      compiled.discard();
      throw error;
    }
    compiled.adopt();
    yield* toItsEnd(prepared.settle());
  }

  private *compilePolicies(snapshot: Snapshot): Sliced<CompiledRoutes> {
    const { routes, models } = snapshot;
    const ofModels = routesOfModels(snapshot);
    try {
      return yield* this.policies.compiling([...routes, ...ofModels]);
    } catch (error) {
      if (!(error instanceof PolicyError)) throw error;
      const name = ofModels[(error.routeIndex ?? 0) - routes.length]?.version;
      const place =
        name === undefined
          ? `routes[${error.routeIndex}]`
          : `models[${models.findIndex((model) => model.name === name)}]`;
      throw new SnapshotRejected(`${place}${fieldOf(error.pointer)}`, error.message);
    }
  }
}

/** What is in force is not given up any more: what is left to do takes as long as it takes. */
function* toItsEnd(work: Sliced<void>): Sliced<void> {
  while (!work.next().done) {
    try {
      yield;
    } catch (error) {
      if (!(error instanceof TookTooLong)) throw error;
    }
  }
}

/** `/policies/0/config/maxBytes` → `.policies[0].config.maxBytes` */
function fieldOf(pointer: string): string {
  return pointer.replace(/\/(\d+)(?=\/|$)/g, '[$1]').replaceAll('/', '.');
}
