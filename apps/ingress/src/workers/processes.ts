import cluster, { type Worker } from 'node:cluster';
import type { FromWorker, ToWorker } from './messages';
import type { Launch } from './spare';
import type { Channel } from './worker-link';

/** Whether this process is one of a group, and no supervisor. */
export const isWorker = cluster.isWorker;

/**
 * Starts this program once more, as a worker. Workers share the listening sockets: the kernel gives a connection to one that
 * waits for it, so that a worker whose loop is busy or dead is given none, and the supervisor handles no connection at all.
 */
export const launchProcess: Launch = ({ said, exited }) => {
  cluster.schedulingPolicy = cluster.SCHED_NONE;
  const worker: Worker = cluster.fork();
  worker.on('message', (message: FromWorker) => said(message));
  // What could not be started, for want of a process or of memory, has an error and no exit.
  worker.once('error', () => worker.process.pid === undefined && exited(null, null));
  worker.on('error', () => undefined);
  worker.once('exit', (code: number | null, signal: string | null) => exited(signal ? null : code, signal));
  return {
    pid: worker.process.pid ?? 0,
    send: (message: ToWorker) => void (worker.isConnected() && worker.send(message, () => undefined)),
    kill: () => void worker.process.kill('SIGKILL'),
  };
};

/** This worker's end of the channel to its supervisor. */
export function ownChannel(): Channel {
  // Else Node ends a worker whose supervisor is gone at once, in the middle of what it answers.
  cluster.worker!.exitedAfterDisconnect = true;
  return {
    send: (message) => void (process.connected && process.send!(message, () => undefined)),
    onMessage: (listener) => void process.on('message', (message) => listener(message as ToWorker)),
  };
}
