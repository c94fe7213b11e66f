import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Controller, Module } from '@nestjs/common';
import { GrpcMethod, GrpcStreamCall } from '@nestjs/microservices';
import { credentials, loadPackageDefinition, Metadata, status, type Client, type ServiceError } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import {
  buckets,
  limitsV1,
  readSpends,
  refuse,
  RefusalError,
  systemClock,
  WireWriter,
  writeNode,
  writeSpend,
  writeSpending,
} from '@sallyport/contracts';
import { protoPath } from 'grpc-health-check';
import type { Closable } from '../address';
import { eventually } from '../bus.suite';
import { createEmbeddedBus } from '../embedded-bus';
import { ListenError } from '../listening';
import { createLogger } from '../logger';
import type { Runtime } from '../runtime';
import { Replies, serveDecide } from './decide';
import type { DecideCall } from './decide-server';
import { HEADROOM, MessageConnection } from './message-connection';
import { createRpcServer } from './rpc-server';

const SERVICE = 'sallyport.limits.v1.LimitService';
const TOKEN = 'an-admin-token-of-this-test';

/** An answer with it has at least 1,500 bytes. */
const wideStanding = limitsV1.Standing.create({ policy: 'p'.repeat(1_500) });
const passed = limitsV1.SpendReply.create({ allowed: true });

@Controller()
class LimitsController {
  @GrpcStreamCall(SERVICE, 'Decide')
  decide(call: DecideCall): void {
    const replies = new Replies(call);
    const spend = (id: number, tenant: string) =>
      replies.give(writeSpending, id, { allowed: true, standings: tenant === 'wide' ? [wideStanding] : [] });
    serveDecide(
      call,
      replies,
      (reader) => readSpends(reader, { node: () => {}, spend }),
      () => {},
    );
  }

  @GrpcMethod(SERVICE, 'Spend')
  spend({ tenant }: limitsV1.SpendRequest): limitsV1.SpendReply {
    if (tenant === 'unknown') throw new RefusalError(refuse('CATALOG_NOT_FOUND', { kind: 'tenant', name: tenant }));
    if (tenant === 'broken') throw new Error('an internal word');
    return passed;
  }
}

@Module({ controllers: [LimitsController] })
class LimitsModule {}

describe('the gRPC listener of a service', () => {
  let folder: string;
  let path: string;
  let server: Closable;
  let runtime: Runtime;
  let client: limitsV1.LimitServiceClient;
  let written: string[];

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sp-'));
    path = join(folder, 'rpc.sock');
    written = [];
    const bus = createEmbeddedBus(systemClock);
    const hash = createHash('sha256').update(TOKEN).digest('hex');
    await (await bus.kv(buckets.adminToken)).put('current', Buffer.from(JSON.stringify({ sha256: hash })));
    const logger = createLogger({
      app: 'rate-limit',
      node: 'test',
      level: 'info',
      destination: { write: (line) => void written.push(line) },
    });
    runtime = { bus, logger } as unknown as Runtime;
    server = await start();
    client = new limitsV1.LimitServiceClient(`unix:${path}`, credentials.createInsecure());
  });

  afterEach(async () => {
    client.close();
    await server.close();
    await runtime.bus.drain();
    rmSync(folder, { recursive: true });
  });

  const start = () =>
    createRpcServer({
      module: LimitsModule,
      services: { [SERVICE]: limitsV1.LimitServiceService },
      address: { path },
      runtime,
    });

  const spend = (tenant: string, token?: string) =>
    new Promise<limitsV1.SpendReply>((resolve, reject) => {
      const metadata = new Metadata();
      if (token !== undefined) metadata.set('authorization', `Bearer ${token}`);
      client.spend({ tenant, charges: [] }, metadata, (error, reply) => (error ? reject(error) : resolve(reply)));
    });

  it('answers all asks of one batch in one message of the Decide stream, without a credential', async () => {
    const stream = client.decide();
    const reply = new Promise<limitsV1.DecideBatchReply>((resolve, reject) => {
      stream.once('data', resolve).once('error', reject);
    });
    stream.write({ node: 'ingress-1', asks: [1, 2, 3].map((id) => ({ id, spend: undefined })) });
    expect((await reply).answers.map(({ id }) => id)).toEqual([1, 2, 3]);
    stream.end();
    await new Promise((resolve) => stream.once('end', resolve));
  });

  it('goes on reading, for the sake of its answers, from a peer whose window they have filled', async () => {
    const socket = connect(path);
    let bytes = 0;
    const heard: string[] = [];
    const ears = {
      ready: () => {},
      opened: () => heard.push('opened'),
      message: (message: Buffer) => (bytes += message.length),
      drain: () => {},
      leaving: () => {},
      ended: () => {},
      lost: (detail: string) => heard.push(detail),
    };
    const peer = new MessageConnection(socket, 'client', ears, 4 * 1024 * 1024);
    socket.on('data', (chunk: Buffer) => peer.received(chunk));
    peer.begin(`/${SERVICE}/Decide`, 'test');
    await eventually(() => expect(heard).toEqual(['opened']));
    const writer = new WireWriter();
    for (const round of [1, 2]) {
      writeNode(writer, 'ingress-1');
      for (let id = 1; id <= 4_096; id++) writeSpend(writer, id, 'wide', []);
      peer.send(writer.take(HEADROOM));
      await eventually(() => expect(bytes).toBeGreaterThan(round * 4_096 * 1_500));
    }
    expect(heard).toEqual(['opened']);
    peer.destroy();
  });

  it('answers a unary call that carries the admin token', async () => {
    await expect(spend('acme', TOKEN)).resolves.toMatchObject({ allowed: true });
  });

  it.each([undefined, 'another-token'])('refuses a unary call whose token is %s', async (token) => {
    const error = await spend('acme', token).catch((failure: ServiceError) => failure);
    expect(error).toMatchObject({ code: status.UNAUTHENTICATED, details: 'This address needs a credential.' });
  });

  it('sends a refusal as its status with the code in ErrorInfo', async () => {
    const error = (await spend('unknown', TOKEN).catch((failure: ServiceError) => failure)) as ServiceError;
    expect(error.code).toBe(status.NOT_FOUND);
    const details = String(error.metadata.get('grpc-status-details-bin')[0]);
    expect(details).toContain('type.googleapis.com/google.rpc.ErrorInfo');
    expect(details).toContain('CATALOG_NOT_FOUND');
  });

  it('keeps the words of a defect in its log', async () => {
    const error = (await spend('broken', TOKEN).catch((failure: ServiceError) => failure)) as ServiceError;
    expect(error.code).toBe(status.INTERNAL);
    expect(JSON.stringify(error.details)).not.toContain('internal word');
    expect(written.join()).toContain('an internal word');
  });

  it('replaces the socket file a crash has left', async () => {
    await server.close();
    leaveStaleSocket(path);
    server = await start();
    await expect(spend('acme', TOKEN)).resolves.toMatchObject({ allowed: true });
  });

  it('says who is in the way when the address is taken', async () => {
    await expect(start()).rejects.toThrow(ListenError);
  });

  it('tells a prober that it serves', async () => {
    const health = remote(protoPath, 'grpc.health.v1.Health', path);
    const reply = new Promise((resolve, reject) => {
      health.check!({ service: SERVICE }, (error: unknown, answer: unknown) =>
        error ? reject(error) : resolve(answer),
      );
    });
    await expect(reply).resolves.toEqual({ status: 'SERVING' });
    health.close();
  });

  it.each(['v1', 'v1alpha'])('tells a tool by reflection %s which services there are', async (version) => {
    const proto = join(reflectionProtos, version, 'reflection.proto');
    const tool = remote(proto, `grpc.reflection.${version}.ServerReflection`, path);
    const stream = tool.serverReflectionInfo!();
    const reply = new Promise((resolve, reject) => stream.once('data', resolve).once('error', reject));
    stream.write({ listServices: '*' });
    await expect(reply).resolves.toMatchObject({ listServicesResponse: { service: [{ name: SERVICE }] } });
    stream.end();
    await new Promise((resolve) => stream.once('end', resolve));
    tool.close();
  });
});

const reflectionProtos = join(dirname(require.resolve('@grpc/reflection')), '../proto/grpc/reflection');

/** A client of a service that only a proto file describes. */
function remote(protoFile: string, service: string, path: string): Client & Record<string, (...args: any[]) => any> {
  const root = loadPackageDefinition(loadSync(protoFile, { enums: String }));
  let found: unknown = root;
  for (const step of service.split('.')) found = (found as Record<string, unknown>)[step];
  return new (found as new (...args: unknown[]) => never)(`unix:${path}`, credentials.createInsecure());
}

/** Binds a socket in another process and lets that process die without cleaning up. */
function leaveStaleSocket(path: string): void {
  const script = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
  spawnSync(process.execPath, ['-e', script]);
}
