import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { DynamicModule, Type } from '@nestjs/common';
import type { ServiceDefinition } from '@grpc/grpc-js';
import { systemClock } from '@sallyport/contracts';
import { createEmbeddedBus, createLogger, createMetrics, createRpcServer, type Runtime } from '@sallyport/platform';
import type { ConsultRuntime } from '../../apps/ingress/src/consult/decide-client';

/** A busy machine must not turn the budgets of production into failures of a contract. */
export const PATIENT_MS = 2_400;

/** What the client of a service is handed in these tests. */
export function consultRuntime(): ConsultRuntime {
  const logger = createLogger({ app: 'ingress', node: 'ingress-1', level: 'silent' });
  return { clock: systemClock, logger, metrics: createMetrics('ingress'), chance: () => 0 };
}

/**
 * Serves the module of an app on a unix socket, as the app does.
 * @param again where it was served before; a socket of its own unless said.
 */
export async function serve(module: Type | DynamicModule, services: Record<string, ServiceDefinition>, again?: string) {
  const path = again?.slice('unix:'.length) ?? join(mkdtempSync(join(tmpdir(), 'sp-')), 'rpc.sock');
  mkdirSync(dirname(path), { recursive: true });
  const bus = createEmbeddedBus(systemClock);
  const logger = createLogger({ app: 'test', node: 'test', level: 'silent' });
  const runtime = { bus, logger } as unknown as Runtime;
  const server = await createRpcServer({ module, services, address: { path }, runtime });
  return {
    target: `unix:${path}`,
    close: async () => {
      await server.close();
      await bus.drain();
      rmSync(dirname(path), { recursive: true, force: true });
    },
  };
}

/** Waits until a client has its stream; nothing else tells. */
export async function connected(client: { state(): 'up' | 'down' }): Promise<void> {
  for (const end = Date.now() + 10_000; client.state() !== 'up';) {
    if (Date.now() > end) throw new Error('no stream within 10 s');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Turns "no answer" into a failure of the test that asked. */
export function answered<T>(outcome: T | string): T {
  if (typeof outcome === 'string') throw new Error(`the service was ${outcome}`);
  return outcome;
}
