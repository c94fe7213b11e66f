// Starting the programs that are measured, and ending them without a trace.
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from '../../tools/process.mjs';

const START_MS = 120_000;
/** Where Debian keeps servers is not on everybody's path. */
export const searched = `${process.env.PATH}:/usr/sbin:/usr/local/sbin`;

/** Names of the programs this machine lacks. */
export function missing(...programs) {
  return programs.filter((program) => spawnSync('which', [program], { env: { PATH: searched } }).status !== 0);
}

/** A folder that is gone when the run is over. */
export function scratch() {
  const folder = mkdtempSync(join(tmpdir(), 'sp-bench-'));
  chmodSync(folder, 0o711);
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** Starts the API behind every system. */
export async function startUpstream() {
  const child = spawn(process.execPath, [join(root, 'bench/load/upstream.mjs')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return { port: Number(await firstLine(child)), pid: child.pid, end: () => end(child) };
}

/** Runs one of the load programs of this folder to its end. @returns the object it prints on its last line. */
export function runLoad(program, plan, onLine = () => undefined) {
  const child = spawn(process.execPath, [join(root, 'bench/load', program), JSON.stringify(plan)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return new Promise((resolve, reject) => {
    let text = '';
    child.stdout.on('data', (chunk) => {
      text += chunk;
      for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n')) {
        const line = text.slice(0, at);
        text = text.slice(at + 1);
        if (line.startsWith('{')) resolve(JSON.parse(line));
        else onLine(line);
      }
    });
    child.once('exit', (code) => reject(new Error(`${program} ended with ${code} and no figures`)));
  });
}

/** Waits until a URL answers at all. */
export async function answering(url, isReady = (response) => response.ok) {
  for (const limit = Date.now() + START_MS; ;) {
    const response = await fetch(url).catch(() => undefined);
    if (response && isReady(response)) return;
    if (Date.now() > limit) throw new Error(`${url} does not answer`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

export function firstLine(child) {
  return new Promise((resolve, reject) => {
    let text = '';
    child.stdout.on('data', (chunk) => {
      text += chunk;
      if (text.includes('\n')) resolve(text.slice(0, text.indexOf('\n')));
    });
    child.once('exit', (code) => reject(new Error(`ended with ${code} before it was ready`)));
  });
}

export async function end(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await Promise.race([gone, new Promise((resolve) => setTimeout(resolve, 40_000))]);
  child.kill('SIGKILL');
}
