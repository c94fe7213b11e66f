import type { Fork, WorkerListener, WorkerProcess } from './supervisor';

/** Starts a process that loads the program and then waits for its place. */
export type Launch = (listener: WorkerListener) => WorkerProcess;

interface Launched {
  readonly process: WorkerProcess;
  /** Whoever hears it: nobody knows a process that has no place. */
  listener: WorkerListener;
}

/**
 * Starts the processes of workers, and keeps one in reserve: to load the program takes longer than a place in the group may
 * stay empty. What waits in reserve has opened nothing: no port, no spool, no connection.
 */
export class Spare {
  private launched: Launched | undefined;

  constructor(private readonly launch: Launch) {}

  /** Gives the place to the process in reserve, or to a new one. */
  readonly fork: Fork = (slot, listener) => {
    const launched = this.launched ?? this.start();
    this.launched = undefined;
    launched.listener = listener;
    launched.process.send({ what: 'serve', slot });
    return launched.process;
  };

  /** Puts a process in reserve unless there is one. One that dies there is not replaced before the next call. */
  prepare(): void {
    this.launched ??= this.start();
  }

  /** Ends what waits in reserve. */
  dismiss(): void {
    this.launched?.process.kill();
    this.launched = undefined;
  }

  private start(): Launched {
    const launched: Launched = {
      listener: { said: () => undefined, exited: () => this.forget(launched) },
      process: this.launch({
        said: (message) => launched.listener.said(message),
        exited: (code, signal) => launched.listener.exited(code, signal),
      }),
    };
    return launched;
  }

  private forget(launched: Launched): void {
    if (this.launched === launched) this.launched = undefined;
  }
}
