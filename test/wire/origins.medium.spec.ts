import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { freePort } from '@sallyport/testkit';
import { openRoute, startGateway, type GatewayUnderTest } from './gateway-under-test';
import { mutations } from './mutations';
import { talk } from './raw-client';

/** Every tenth mutation: each origin is a program that is asked over the network. */
const sample = mutations().filter((_, at) => at % 10 === 0);
const AT_ONCE = 16;

/** An origin that counts the requests it believes to have had. */
interface CountingOrigin {
  readonly url: string;
  /** Targets of the requests it answered. */
  seen(): string[];
  close(): Promise<void>;
}

async function startNode(): Promise<CountingOrigin> {
  const targets: string[] = [];
  const server = createServer((request, response) => {
    request.resume();
    // One whose body breaks is none.
    request.on('end', () => {
      targets.push(request.url!);
      response.end('ok');
    });
    request.on('error', () => undefined);
  });
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${port}`,
    seen: () => targets,
    close: () => new Promise((resolve) => void server.close(() => resolve()).closeAllConnections()),
  };
}

/** Where a program listens and writes. */
interface Place {
  readonly port: number;
  /** For itself, where it hands on to itself what it has had whole. */
  readonly inner: number;
  readonly folder: string;
  readonly log: string;
}

/** A program that writes the target of each request on a line of a file, or of its output. */
async function startProgram(make: (place: Place) => { command: string; args: string[] }): Promise<CountingOrigin> {
  const folder = mkdtempSync(join(tmpdir(), 'sp-'));
  const log = join(folder, 'requests.log');
  const output = openSync(log, 'a');
  const [port, inner] = [await freePort(), await freePort()];
  const { command, args } = make({ port, inner, folder, log });
  const program = spawn(command, args, { stdio: ['ignore', output, 'ignore'] });
  closeSync(output);
  await listening(port, program);
  return {
    url: `http://127.0.0.1:${port}`,
    seen: () => readFileSync(log, 'utf8').split('\n').filter(Boolean),
    close: async () => {
      const gone = new Promise((resolve) => program.once('exit', resolve));
      program.kill();
      await gone;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function listening(port: number, program: ChildProcess): Promise<void> {
  for (let waited = 0; waited < 10_000; waited += 50) {
    if (program.exitCode !== null) break;
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => resolve(true));
      socket.on('error', () => resolve(false));
      socket.on('connect', () => socket.destroy());
    });
    if (open) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('the origin does not listen');
}

const startNginx = () =>
  startProgram(({ port, folder, log }) => {
    const configuration = `
      daemon off; master_process off; pid ${folder}/pid; error_log ${folder}/error.log;
      events {}
      http {
        log_format target '$request_uri'; access_log off;
        client_body_temp_path ${folder}/b; proxy_temp_path ${folder}/p; fastcgi_temp_path ${folder}/f;
        uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
        # It hands on what it has had whole, and counts that.
        server { listen unix:${folder}/counted; access_log ${log} target; location / { return 200 ok; } }
        server { listen 127.0.0.1:${port}; location / { proxy_pass http://unix:${folder}/counted; } }
      }`;
    writeFileSync(join(folder, 'nginx.conf'), configuration);
    return { command: 'nginx', args: ['-c', join(folder, 'nginx.conf'), '-e', join(folder, 'error.log')] };
  });

const startHaproxy = () =>
  startProgram(({ port, folder }) => {
    const configuration = `
      global
        log stdout format raw local0
      defaults
        mode http
        timeout connect 5s
        timeout client 5s
        timeout server 5s
      frontend whole
        bind 127.0.0.1:${port}
        # It hands on what it has had whole, and counts that.
        option http-buffer-request
        default_backend counted
      backend counted
        server counted unix@${folder}/counted
      frontend counted
        bind unix@${folder}/counted
        log global
        log-format %HU
        http-request return status 200 content-type text/plain string ok
`;
    writeFileSync(join(folder, 'haproxy.cfg'), configuration);
    return { command: 'haproxy', args: ['-db', '-f', join(folder, 'haproxy.cfg')] };
  });

/** Where Debian keeps them. */
const APACHE_MODULES = '/usr/lib/apache2/modules';

const startApache = () =>
  startProgram(({ port, inner, folder, log }) => {
    const modules = ['mpm_event', 'authz_core', 'alias', 'env', 'proxy', 'proxy_http'];
    const configuration = `
      ${modules.map((name) => `LoadModule ${name}_module ${APACHE_MODULES}/mod_${name}.so`).join('\n')}
      ServerName localhost
      PidFile ${folder}/pid
      DefaultRuntimeDir ${folder}
      Mutex posixsem
      ErrorLog ${folder}/error.log
      User nobody
      Group nogroup
      Listen 127.0.0.1:${port}
      Listen 127.0.0.1:${inner}
      AllowEncodedSlashes NoDecode
      <VirtualHost 127.0.0.1:${port}>
        # It hands on what it has had whole, and counts that.
        SetEnv proxy-sendcl 1
        ProxyPass / http://127.0.0.1:${inner}/ nocanon
      </VirtualHost>
      <VirtualHost 127.0.0.1:${inner}>
        CustomLog ${log} %U%q
        Redirect 200 /
      </VirtualHost>`;
    writeFileSync(join(folder, 'apache.conf'), configuration);
    return { command: 'apache2', args: ['-d', folder, '-f', join(folder, 'apache.conf'), '-D', 'FOREGROUND'] };
  });

const PYTHON = `
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Handler(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def answer(self):
        length = self.headers.get('Content-Length')
        if length is not None:
            self.rfile.read(int(length))
        elif self.headers.get('Transfer-Encoding') == 'chunked':
            while True:
                size = int(self.rfile.readline(), 16)
                self.rfile.read(size + 2)
                if size == 0: break
        with open(sys.argv[2], 'a') as log: log.write(self.path + '\\n')
        self.send_response(200)
        self.send_header('Content-Length', '2')
        self.end_headers()
        self.wfile.write(b'ok')
    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_PROPFIND = do_MOVE = answer
    def log_message(self, *args): pass
ThreadingHTTPServer(('127.0.0.1', int(sys.argv[1])), Handler).serve_forever()
`;

const startPython = () =>
  startProgram(({ port, log }) => ({ command: 'python3', args: ['-c', PYTHON, String(port), log] }));

function isInstalled(command: string, ...args: string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0;
}

const origins: [string, boolean, () => Promise<CountingOrigin>][] = [
  ['Node', true, startNode],
  ['nginx', isInstalled('nginx', '-v'), startNginx],
  ['HAProxy', isInstalled('haproxy', '-v'), startHaproxy],
  ['Apache', isInstalled('apache2', '-v') && existsSync(APACHE_MODULES), startApache],
  ['Python', isInstalled('python3', '--version'), startPython],
];

/** Some write their log behind the answer: the last of them has written it when nothing has come for a while. */
async function settled(origin: CountingOrigin): Promise<void> {
  for (let seen = -1; seen !== origin.seen().length; await pause(500)) seen = origin.seen().length;
}

describe.each(origins)('rel-T34 in front of %s', (name, installed, start) => {
  const test = installed ? it : it.skip;
  let gateway: GatewayUnderTest | undefined;
  let origin: CountingOrigin | undefined;

  afterEach(async () => {
    await gateway?.close();
    await origin?.close();
  });

  test(`${installed ? '' : `(${name} is not installed) `}the origin counts as many requests as the gateway answered`, async () => {
    origin = await start();
    gateway = await startGateway({ plain: { limits: { headersMs: 500, requestMs: 1_000, checkMs: 50 } } });
    await gateway.publish([openRoute('/open')], origin.url);
    const port = gateway.ports['plain']!;
    const asked: { mutation: string; path: string; served: number }[] = [];
    for (let at = 0; at < sample.length; at += AT_ONCE) {
      const batch = sample.slice(at, at + AT_ONCE);
      await Promise.all(
        batch.map(async ({ name: mutation, bytes }, offset) => {
          const path = `/open/${at + offset}`;
          const { answers } = await talk(port, bytes(path), { quiet: 60 });
          asked.push({ mutation, path, served: answers.filter(({ status }) => status === 200).length });
        }),
      );
    }
    await settled(origin);
    const wrong = asked.flatMap(({ mutation, path, served }) => {
      const counted = origin!.seen().filter((target) => target === path).length;
      const hidden = origin!.seen().filter((target) => target === `/open/hidden${path}`).length;
      const isRight = counted <= 1 && served >= counted && served <= counted + hidden;
      return isRight ? [] : [`${mutation}: ${served} answers, ${counted} and ${hidden} hidden requests`];
    });
    expect(wrong).toEqual([]);
    // Most mutations are refused; where none were served, nothing would have been compared.
    expect(origin.seen().length).toBeGreaterThanOrEqual(30);
    const strange = origin.seen().filter((target) => !/^\/open\/(hidden\/open\/)?\d+$/.test(target));
    expect(strange).toEqual([]);
  }, 120_000);
});
