import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '@sallyport/testkit';
import { UpstreamPools } from '../pool';
import { fieldValue } from '../raw-fields';
import { exchangeWith } from './gathered.suite';

const nginx = ['nginx', '/usr/sbin/nginx'].find((path) => spawnSync(path, ['-v']).status === 0);
const suite = nginx ? describe : describe.skip;

suite(`nginx as an upstream${nginx ? '' : ' (nginx is not installed)'}`, () => {
  let folder: string;
  let port: number;
  let server: ChildProcess;
  let pools: UpstreamPools;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sallyport-nginx-'));
    port = await freePort();
    writeFileSync(join(folder, 'large.txt'), 'x'.repeat(3_000_000));
    writeFileSync(
      join(folder, 'nginx.conf'),
      `${process.getuid?.() === 0 ? 'user root;' : ''} daemon off; worker_processes 1; pid ${folder}/pid; error_log ${folder}/error.log;
      events { worker_connections 64; }
      http {
        access_log off; client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy;
        fastcgi_temp_path ${folder}/f; uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
        keepalive_requests 3;
        server {
          listen 127.0.0.1:${port}; root ${folder};
          location /small { return 200 "$request_method $request_uri"; }
          location /gone { return 204; }
          location /moved { return 301 /elsewhere; }
          location /cut { return 444; }
          location /chunks { gzip on; gzip_min_length 1; gzip_types *; alias ${folder}/large.txt; }
        }
      }`,
    );
    server = spawn(nginx!, ['-c', join(folder, 'nginx.conf'), '-p', folder], { stdio: 'ignore' });
    await listening(port);
    pools = new UpstreamPools();
  });

  afterAll(async () => {
    await pools.destroy();
    const ended = new Promise((resolve) => server.on('exit', resolve));
    server.kill('SIGTERM');
    await ended;
    rmSync(folder, { recursive: true, force: true });
  });

  const client = () => pools.client({ url: `http://127.0.0.1:${port}`, allowPrivate: true, connectMs: 2_000 });

  it('answers one request after the other, over connections that it ends when it likes', async () => {
    for (let n = 0; n < 10; n++)
      expect((await exchangeWith(client(), { path: `/small?n=${n}` })).text).toBe(`GET /small?n=${n}`);
  });

  it('sends a large file whole', async () => {
    const sink = await exchangeWith(client(), { path: '/large.txt' });
    expect(sink.text).toHaveLength(3_000_000);
  });

  it('sends chunks, which are passed on as they were packed', async () => {
    const fields = ['host', 'a', 'accept-encoding', 'gzip'];
    const sink = await exchangeWith(client(), { path: '/chunks', fields });
    expect(fieldValue(sink.fields, 'transfer-encoding')).toBe('chunked');
    expect(sink.text.slice(0, 2)).toBe('\x1f\x8b');
  });

  it('has answers without a body, redirects that are not followed, and connections that just end', async () => {
    expect(await exchangeWith(client(), { method: 'HEAD', path: '/large.txt' })).toMatchObject({
      status: 200,
      text: '',
    });
    expect(await exchangeWith(client(), { path: '/gone' })).toMatchObject({ status: 204, text: '' });
    expect(await exchangeWith(client(), { path: '/moved' })).toMatchObject({ status: 301 });
    expect(await exchangeWith(client(), { path: '/cut' })).toMatchObject({ refusal: { code: 'UPSTREAM_BROKE' } });
  });
});

async function listening(port: number): Promise<void> {
  const end = Date.now() + 5_000;
  for (;;) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => resolve(true)).on('error', () => resolve(false));
      socket.on('connect', () => socket.destroy());
    });
    if (open) return;
    if (Date.now() > end) throw new Error('nginx does not listen');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
