// What the tools have in common: where the clone is, how they speak, and how they start and end other processes.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Folder of the clone. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** What Node is told before an application, however it is started (ADR 31). */
export const nodeOptions = JSON.parse(readFileSync(join(root, 'deploy', 'node-options.json'), 'utf8'));

/** What the C library under Node is told, however an application is started (ADR 48); whoever sets one of these means it. */
export const nodeEnvironment = JSON.parse(readFileSync(join(root, 'deploy', 'node-environment.json'), 'utf8'));

/** Tells people how it goes. Standard output belongs to results. */
export function say(text) {
  process.stderr.write(`${text}\n`);
}

/** Ends the tool with one clear line. */
export class Failure extends Error {
  constructor(message, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Runs the tool when its file is what Node was started with; otherwise the file is imported for what it exports. */
export function whenMain(meta, main) {
  if (process.argv[1] === undefined || fileURLToPath(meta.url) !== resolved(process.argv[1])) return;
  main(process.argv.slice(2)).catch((error) => {
    say(error instanceof Failure ? error.message : (error?.stack ?? String(error)));
    process.exit(error instanceof Failure ? error.exitCode : 1);
  });
}

function resolved(path) {
  return path.endsWith('.mjs') ? path : `${path}.mjs`;
}

/** Path of a tool of ours in node_modules. */
export function bin(name) {
  return join(root, 'node_modules', '.bin', name);
}

/**
 * Runs a command to its end, its output among our progress unless `stdio` says otherwise.
 * @returns {Promise<number>} its exit code; that of a command ended by a signal is 128 and the signal's number.
 */
export function run(command, args, { stdio = ['ignore', 2, 2], env = process.env } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, stdio, env });
    child.once('error', (error) => reject(new Failure(`${command} cannot be started: ${error.message}`)));
    child.once('exit', (code, signal) => resolve(exitCodeOf(code, signal)));
  });
}

const signalNumbers = { SIGHUP: 1, SIGINT: 2, SIGKILL: 9, SIGTERM: 15 };

export function exitCodeOf(code, signal) {
  return code ?? 128 + (signalNumbers[signal] ?? 0);
}

/**
 * Starts a compiled application in a process group of its own: Ctrl-C in a terminal reaches every process of the group in
 * front, and the application would take our forwarded signal for the second, impatient one. Should we be killed, the closing
 * of the channel tells the application to end.
 */
export function startApp(app, args, { stdio = 'inherit', env = process.env } = {}) {
  const main = join(root, 'dist', 'apps', app, 'src', 'main.js');
  const streams = typeof stdio === 'string' ? [stdio, stdio, stdio] : stdio;
  return spawn(process.execPath, [...nodeOptions, main, ...args], {
    cwd: root,
    stdio: [...streams, 'ipc'],
    env: { ...nodeEnvironment, ...env },
    detached: process.platform !== 'win32',
  });
}

/**
 * Calls `end` for every signal that asks us to end. Under npm a shell stands between npm and us; neither passes every signal
 * on, so we also end when one of the two is gone.
 */
export function onEnd(end) {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
    process.on(signal, () => end(signal === 'SIGHUP' ? 'SIGTERM' : signal));
  if (process.env.npm_lifecycle_event === undefined) return;
  const shell = process.ppid;
  const npm = parentOf(shell);
  const watch = setInterval(() => {
    if (process.ppid === shell && parentOf(shell) === npm) return;
    clearInterval(watch);
    end('SIGTERM');
  }, 500);
  watch.unref();
}

/** @returns undefined where there is no /proc. */
function parentOf(pid) {
  try {
    return /^PPid:\s*(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  } catch {
    return undefined;
  }
}
