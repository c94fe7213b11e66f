import type { RouteClass, Snapshot } from '@sallyport/contracts';
import type { PolicyCompiler } from '@sallyport/pipeline';
import { compileConfiguration, type Configuration } from './configuration';

/** The configuration this process runs on: one pointer, swapped between two requests. */
export class CurrentConfiguration {
  private configuration: Configuration | undefined;

  /**
   * @param policies compiles what routes carry, and keeps what did not change from one revision to the next.
   * @param adopted told before the swap, for whoever keeps things per configuration; a throw leaves everything as it was.
   */
  constructor(
    private readonly policies: PolicyCompiler,
    private readonly adopted: (configuration: Configuration) => void,
  ) {}

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
    const compiled = this.policies.compile(snapshot.routes);
    try {
      const next = compileConfiguration(snapshot, compiled.routes);
      this.adopted(next);
      this.configuration = next;
    } catch (error) {
      compiled.discard();
      throw error;
    }
    compiled.adopt();
  }
}
