// What Sallyport is measured beside: nginx, nginx with ModSecurity and the Core Rule Set, the Portkey gateway.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts } from '../../tools/free-ports.mjs';
import { root, run, say } from '../../tools/process.mjs';
import { processorSeconds, processTree } from './machine.mjs';
import { answering, end, firstLine, missing, scratch, searched } from './programs.mjs';

/** The upstream itself: what the others add to. */
export function directly({ port, pid }) {
  return {
    name: 'upstream alone',
    host: '127.0.0.1',
    port,
    fields: {},
    processorSeconds: async () => ({ own: processorSeconds([pid]), aside: 0 }),
    end: async () => undefined,
  };
}

/** What keeps nginx from being measured here, or undefined. */
export function nginxLacks() {
  return missing('nginx').length > 0 ? 'nginx is absent; there is no ratio without it' : undefined;
}

/** One worker, keep-alive on both sides, no log: what a proxy costs that does nothing but pass on. */
export function startNginx(upstreamPort, http = '') {
  return serveNginx('nginx, bare proxy', upstreamPort, { main: '', http });
}

/** The same for streams: every event is passed on as it comes. */
export function startStreamingNginx(upstreamPort) {
  return startNginx(upstreamPort, 'proxy_buffering off;');
}

/** Node's own HTTP server and the dispatcher of undici, doing nothing but pass on: what any proxy on them costs at least. */
export function startNodeFloor(upstreamPort) {
  return serveFloor('node-floor: node:http and undici', String(upstreamPort));
}

/** The same, once three other processes have been asked in between, who know nothing: what any cluster on them costs at least. */
export function startAskingFloor(upstreamPort) {
  return serveFloor('node-floor, asking: three processes more', String(upstreamPort), 'asking');
}

/** Sockets of Node that pass bytes on, and nothing that reads them: what no proxy in Node is below. */
export function startNodeBytes(upstreamPort) {
  return serveFloor('node-bytes: node:net alone', String(upstreamPort), 'bytes');
}

async function serveFloor(name, ...where) {
  const child = spawn(process.execPath, [join(root, 'bench/load/node-floor.mjs'), ...where], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const port = Number(await firstLine(child));
  return {
    name,
    host: '127.0.0.1',
    port,
    fields: {},
    processorSeconds: async () => ({ own: processorSeconds(processTree(child.pid)), aside: 0 }),
    end: () => end(child),
  };
}

const MODULE = '/usr/lib/nginx/modules/ngx_http_modsecurity_module.so';
/** Where Debian puts the Core Rule Set. */
export const RULES = '/usr/share/modsecurity-crs';

/** What keeps ModSecurity from being measured here, or undefined. */
export function modSecurityLacks() {
  if (nginxLacks()) return nginxLacks();
  const absent = [MODULE, RULES].filter((path) => !existsSync(path));
  return absent.length > 0 ? 'the packages libnginx-mod-http-modsecurity and modsecurity-crs are absent' : undefined;
}

/** The Core Rule Set as Debian sets it up, blocking, at paranoia level 1. */
export function startModSecurity(upstreamPort) {
  const rules = (folder) => {
    writeFileSync(
      join(folder, 'modsecurity.conf'),
      `SecRuleEngine On
SecRequestBodyAccess On
SecRequestBodyLimit 13107200
SecRequestBodyNoFilesLimit 131072
SecRequestBodyLimitAction Reject
SecResponseBodyAccess Off
SecAuditEngine Off
SecTmpDir ${folder}
SecDataDir ${folder}
SecRule REQUEST_HEADERS:Content-Type "^application/json" "id:200001,phase:1,t:none,t:lowercase,pass,nolog,ctl:requestBodyProcessor=JSON"
Include ${setupFile()}
Include ${RULES}/rules/*.conf
`,
    );
    return `modsecurity on; modsecurity_rules_file ${folder}/modsecurity.conf;`;
  };
  return serveNginx('nginx + ModSecurity + CRS', upstreamPort, { main: `load_module ${MODULE};`, http: rules });
}

export function setupFile() {
  const found = ['/etc/modsecurity/crs/crs-setup.conf', `${RULES}/crs-setup.conf.example`].find(existsSync);
  if (!found) throw new Error('the set-up file of the Core Rule Set is not where Debian puts it');
  return found;
}

async function serveNginx(name, upstreamPort, { main, http }) {
  const { folder, remove } = scratch();
  const [port] = await freePorts(1);
  mkdirSync(join(folder, 'logs'));
  writeFileSync(
    join(folder, 'nginx.conf'),
    `${main} daemon off; worker_processes 1; pid ${folder}/nginx.pid; error_log ${folder}/error.log;
     events { worker_connections 4096; }
     http { access_log off; keepalive_requests 1000000; client_body_buffer_size 64k;
       client_body_temp_path ${folder}/b; proxy_temp_path ${folder}/p; fastcgi_temp_path ${folder}/f; uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
       ${typeof http === 'string' ? http : http(folder)}
       upstream api { server 127.0.0.1:${upstreamPort}; keepalive 128; keepalive_requests 1000000; }
       server { listen 127.0.0.1:${port}; location / { proxy_pass http://api; proxy_http_version 1.1; proxy_set_header Connection ""; } } }`,
  );
  const child = spawn('nginx', ['-p', folder, '-c', join(folder, 'nginx.conf')], {
    env: { PATH: searched },
    stdio: 'ignore',
  });
  await answering(`http://127.0.0.1:${port}/orders`, (response) => response.status > 0);
  return {
    name,
    host: '127.0.0.1',
    port,
    fields: {},
    processorSeconds: async () => ({ own: processorSeconds(processTree(child.pid)), aside: 0 }),
    async end() {
      await end(child);
      remove();
    },
  };
}

const PORTKEY = { name: '@portkey-ai/gateway', version: '1.15.2' };
/**
 * It asks for any later version of these two, and the latest of the second hands it the fields of the provider's answer as
 * they are, which no fetch lets anybody change: it then answers 500 to every stream. With these it works.
 */
const PINNED = { hono: '4.9.7', '@hono/node-server': '1.3.3' };

/** Installs the Portkey gateway into a folder that is gone afterwards, and starts it. */
export async function startPortkey(upstreamPort) {
  const { folder, remove } = scratch();
  say(`Installing ${PORTKEY.name} ${PORTKEY.version} …`);
  const wanted = { private: true, dependencies: { [PORTKEY.name]: PORTKEY.version }, overrides: PINNED };
  writeFileSync(join(folder, 'package.json'), JSON.stringify(wanted));
  const code = await run('npm', ['install', '--silent', '--no-audit', '--no-fund', '--prefix', folder]);
  if (code !== 0) {
    remove();
    throw new Error(`${PORTKEY.name} cannot be installed`);
  }
  const [port] = await freePorts(1);
  const build = join(folder, 'node_modules/@portkey-ai/gateway/build');
  const program = readdirSync(build).find((name) => name === 'start-server.js');
  const child = spawn(process.execPath, [join(build, program), '--headless', `--port=${port}`], {
    env: { PATH: process.env.PATH, HOME: folder, NODE_ENV: 'production' },
    stdio: 'ignore',
  });
  await answering(`http://127.0.0.1:${port}/`, (response) => response.status > 0);
  return {
    name: 'Portkey gateway 1.15.2',
    host: '127.0.0.1',
    port,
    fields: {
      authorization: 'Bearer key-of-the-provider',
      'x-portkey-provider': 'openai',
      'x-portkey-custom-host': `http://127.0.0.1:${upstreamPort}/v1`,
    },
    processorSeconds: async () => ({ own: processorSeconds(processTree(child.pid)), aside: 0 }),
    async end() {
      await end(child);
      remove();
    },
  };
}
