// Starts one application: `node tools/start-app.mjs <app> [arguments of the application]`
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { build } from './build.mjs';
import { install } from './install.mjs';
import { Failure, exitCodeOf, onEnd, root, startApp, whenMain } from './process.mjs';

whenMain(import.meta, ([app, ...args]) => runToItsEnd(app, args));

/** Runs an application as our child and ends as it ends. */
export async function runToItsEnd(app, args) {
  refuseUnknownApp(app);
  await install();
  await build();
  const child = startApp(app, args);
  onEnd((signal) => child.kill(signal));
  child.once('error', (error) => {
    throw error;
  });
  child.once('exit', (code, signal) => process.exit(exitCodeOf(code, signal)));
}

function refuseUnknownApp(app) {
  const apps = readdirSync(join(root, 'apps')).filter((name) => existsSync(join(root, 'apps', name, 'src', 'main.ts')));
  if (!apps.includes(app))
    throw new Failure(`There is no application “${app ?? ''}”; there is ${apps.join(', ')}.`, 64);
}
