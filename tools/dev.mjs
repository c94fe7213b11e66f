// Runs the all-in-one cluster and starts it again whenever a source changes: `npm run dev`
import { existsSync, watch } from 'node:fs';
import { join } from 'node:path';
import { build } from './build.mjs';
import { install } from './install.mjs';
import { onEnd, root, say, startApp, whenMain } from './process.mjs';

/** Editors write one file in several steps. */
const SETTLE_MS = 150;

whenMain(import.meta, async (args) => {
  await install();
  const loop = new DevLoop(args);
  for (const folder of ['apps', 'libs', 'examples', 'proto'].filter((name) => existsSync(join(root, name)))) {
    watch(join(root, folder), { recursive: true }, () => loop.changed());
  }
  onEnd((signal) => loop.end(signal));
  await loop.turn();
});

class DevLoop {
  #args;
  #child;
  #timer;
  #turning = false;
  #again = false;

  constructor(args) {
    this.#args = args;
  }

  changed() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.turn(), SETTLE_MS);
  }

  /** Builds and, when that wrote anything, starts the cluster again; a change in the middle of it asks for one more turn. */
  async turn() {
    this.#again = true;
    if (this.#turning) return;
    this.#turning = true;
    while (this.#again) {
      this.#again = false;
      await this.#buildAndRestart();
    }
    this.#turning = false;
  }

  async end(signal) {
    if (!this.#child) process.exit(0);
    this.#child.once('exit', (code) => process.exit(code ?? 1));
    this.#child.kill(signal);
  }

  async #buildAndRestart() {
    try {
      if ((await build()) === 0 && this.#child) return;
    } catch (error) {
      say(error.message);
      return;
    }
    await this.#stop();
    const child = startApp('all-in-one', this.#args);
    this.#child = child;
    child.once('exit', (code) => {
      if (this.#child !== child) return;
      this.#child = undefined;
      say(`The cluster ended with exit code ${code}; it is started again after the next change.`);
    });
  }

  #stop() {
    const child = this.#child;
    if (!child) return undefined;
    this.#child = undefined;
    return new Promise((resolve) => {
      child.once('exit', resolve);
      child.kill('SIGTERM');
    });
  }
}
