#!/usr/bin/env node
'use strict';
// Runs the compiled command line; in a clone it is compiled first where sources are newer. `import()` takes a URL, since a
// path may hold spaces and other characters of meaning.
const { existsSync, realpathSync } = require('node:fs');
const { join } = require('node:path');
const { pathToFileURL } = require('node:url');

const root = realpathSync(join(__dirname, '..', '..', '..'));
const main = join(root, 'dist', 'apps', 'cli', 'src', 'main.js');
const builder = join(root, 'tools', 'build.mjs');

async function run() {
  // An image carries what was compiled, and nothing to compile with.
  if (existsSync(builder)) {
    const { build } = await import(pathToFileURL(builder).href);
    await build();
  }
  const { runCommandLine } = require(main);
  process.exitCode = await runCommandLine(root);
}

run().catch((error) => {
  process.stderr.write(`sallyport cannot start: ${error.message}\n`);
  process.exitCode = 1;
});
