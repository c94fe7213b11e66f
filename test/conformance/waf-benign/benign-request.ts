import type { WafProfile } from '@sallyport/contracts';

/** An ordinary request, and the kind of route it goes to. */
export interface BenignRequest {
  readonly profile: WafProfile;
  /** What a failure is reported by. */
  readonly title: string;
  readonly method: string;
  readonly target: string;
  /** As sent, without Host and Content-Length. */
  readonly fields: readonly (readonly [name: string, value: string])[];
  readonly body: Buffer | undefined;
}
