// Starts the product with a given Node, makes the two first requests, and ends it: `node tools/smoke.mjs [path of node]`
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from './build.mjs';
import { freePorts } from './free-ports.mjs';
import { install } from './install.mjs';
import { Failure, nodeEnvironment, nodeOptions, root, say, whenMain } from './process.mjs';

const READY_MS = 60_000;
const END_MS = 30_000;

whenMain(import.meta, async ([node = process.execPath]) => {
  await install();
  await build();
  const dataDir = mkdtempSync(join(tmpdir(), 'sallyport smoke '));
  const product = await start(node, dataDir);
  try {
    await firstRequests(product.ready);
  } finally {
    await product.end();
    rmSync(dataDir, { recursive: true, force: true });
  }
  say(`ok      the product starts, answers and ends under ${product.version}`);
});

async function start(node, dataDir) {
  const ports = await freePorts(4);
  const environment = {
    ...nodeEnvironment,
    PATH: process.env.PATH,
    SALLYPORT_DATA_DIR: dataDir,
    SALLYPORT_INGRESS_HTTP_PORT: ports[0],
    SALLYPORT_INGRESS_HEALTH_PORT: ports[1],
    SALLYPORT_CATALOG_HTTP_PORT: ports[2],
    SALLYPORT_DEMO_PORT: ports[3],
  };
  const child = spawn(node, [...nodeOptions, join(root, 'dist/apps/all-in-one/src/main.js'), '--json'], {
    cwd: root,
    env: environment,
  });
  let errors = '';
  child.stderr.on('data', (chunk) => (errors += chunk));
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const ready = await within(READY_MS, firstLine(child.stdout, ended), () => `not ready: ${errors.slice(-2000)}`);
  return {
    ready: JSON.parse(ready),
    version: await versionOf(node),
    async end() {
      child.kill('SIGINT');
      await within(END_MS, ended, () => 'the product does not end').catch((error) => {
        child.kill('SIGKILL');
        throw error;
      });
    },
  };
}

function firstLine(stream, ended) {
  return new Promise((resolve, reject) => {
    let text = '';
    stream.on('data', (chunk) => {
      text += chunk;
      if (text.includes('\n')) resolve(text.slice(0, text.indexOf('\n')));
    });
    ended.then((code) => reject(new Failure(`the product ended with ${code} before it was ready`)));
  });
}

async function firstRequests({ ingress, apiKey }) {
  const authorization = `Bearer ${apiKey}`;
  const orders = await fetch(`${ingress}/orders`, { headers: { authorization } });
  if (orders.status !== 200) throw new Failure(`GET /orders answered ${orders.status}`);
  const chat = await fetch(`${ingress}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'echo', stream: true, messages: [{ role: 'user', content: 'hello' }] }),
  });
  const text = await chat.text();
  if (chat.status !== 200 || !text.trimEnd().endsWith('data: [DONE]')) {
    throw new Failure(`the chat answered ${chat.status}: ${text.slice(0, 300)}`);
  }
  const refused = await fetch(`${ingress}/orders`);
  if (refused.status !== 401) throw new Failure(`GET /orders without a key answered ${refused.status}`);
}

function versionOf(node) {
  return new Promise((resolve) => {
    let text = '';
    const child = spawn(node, ['-p', '"Node " + process.version']);
    child.stdout.on('data', (chunk) => (text += chunk));
    child.once('close', () => resolve(text.trim()));
  });
}

async function within(milliseconds, promise, reason) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Failure(reason())), milliseconds);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
