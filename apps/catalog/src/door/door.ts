import { refuse, RefusalError } from '@sallyport/contracts';
import type { Closable, Logger } from '@sallyport/platform';
import type { FastifyInstance } from 'fastify';
import { AreaClient } from './area-client';
import { areaNames, type AreaName } from './areas';
import { forwardAreas } from './forward';
import { isMeantForUs } from './host-check';
import { mergedOpenApi, type OpenApi } from './open-api';
import { problemRenderer } from './problem';

export interface DoorOptions {
  /** Where each area is: `http://host:port` or `unix:/path`. */
  readonly areas: Readonly<Record<AreaName, string>>;
  /** Host names beside loopback and the door's own address. */
  readonly hosts: readonly string[];
  readonly logger: Logger;
  /** Base of problem types. */
  readonly publicUrl: string;
  /** The catalog's own document; asked for when somebody reads it. */
  readonly openApi: () => object;
}

/**
 * The admin door: what the catalog's own admin listener does beside the catalog's own API. It is the same Fastify
 * instance, so that one guard, one shape of refusals and one log stand before every area; files of the console are
 * routes of it like any other.
 */
export class AdminDoor implements Closable {
  private readonly clients: ReadonlyMap<AreaName, AreaClient>;

  constructor(private readonly options: DoorOptions) {
    this.clients = new Map(areaNames.map((area) => [area, new AreaClient(options.areas[area])]));
  }

  /** Adds the door's hook and routes. To be called before the instance listens. */
  addTo(instance: FastifyInstance): void {
    const { hosts, logger, openApi, publicUrl } = this.options;
    instance.addHook('onRequest', async (request) => {
      const { host, origin } = request.headers;
      if (isMeantForUs({ host, origin, localAddress: request.socket.localAddress }, hosts)) return;
      throw new RefusalError(refuse('ADMIN_HOST_REFUSED'));
    });
    // A context of its own: Nest renders failures of its own routes only, and these bodies are handed on unread.
    instance.register((scope, _, done) => {
      scope.setErrorHandler(problemRenderer(publicUrl, logger));
      scope.get('/api/openapi.json', (request) =>
        mergedOpenApi(openApi() as OpenApi, this.clients, request.headers.authorization!),
      );
      forwardAreas(scope, this.clients, logger);
      done();
    });
  }

  async close(): Promise<void> {
    await Promise.all([...this.clients.values()].map((client) => client.close()));
  }
}
