import type { RouteClass, Snapshot } from '@sallyport/contracts';
import { compileConfiguration, type Configuration } from './configuration';

/** The configuration this process runs on: one pointer, swapped between two requests. */
export class CurrentConfiguration {
  private configuration: Configuration | undefined;

  /** @param adopted told after the swap, for whoever keeps things per configuration. */
  constructor(private readonly adopted: (configuration: Configuration) => void) {}

  get current(): Configuration | undefined {
    return this.configuration;
  }

  /** Class of a virtual model; undefined where there is none of this name. */
  classOf(tenant: string, model: string): RouteClass | undefined {
    return this.configuration?.modelClasses.get(`${tenant}/${model}`);
  }

  /**
   * Compiles and swaps. Requests under way keep what they started with.
   * @throws when the snapshot cannot be compiled; then nothing has changed.
   */
  apply(snapshot: Snapshot): void {
    const next = compileConfiguration(snapshot);
    this.adopted(next);
    this.configuration = next;
  }
}
