import type { Clock } from '@sallyport/contracts';

/** What a command is handed of the process it runs in. */
export interface World {
  readonly environment: NodeJS.ProcessEnv;
  readonly directory: string;
  /** Folder of the installation: where `npm start` keeps its data unless told otherwise. */
  readonly installation: string;
  readonly clock: Clock;
  /** Aborted by SIGINT and SIGTERM. */
  readonly interrupted: AbortSignal;
  readonly readStandardInput: () => Promise<string>;
}
