import { Controller, Module, type Type } from '@nestjs/common';
import { GrpcMethod } from '@nestjs/microservices';
import { catalogV1, refuse, RefusalError } from '@sallyport/contracts';
import { Publisher } from './publisher';

/** Full name of the service that hands the configuration to processes without the bus. */
export const SNAPSHOT_SERVICE = 'sallyport.catalog.v1.SnapshotService';

@Controller()
class SnapshotController {
  constructor(private readonly publisher: Publisher) {}

  @GrpcMethod('SnapshotService', 'Read')
  async read({ knownRevision }: catalogV1.ReadRequest): Promise<catalogV1.ReadReply> {
    const found = await this.publisher.read(knownRevision);
    if (!found) throw new RefusalError(refuse('CATALOG_NOT_FOUND', { kind: 'revision', name: 'head' }));
    const { revision, sha256, document } = found;
    return { revision, sha256, unchanged: document === undefined, document: Buffer.from(document ?? '') };
  }
}

export function snapshotRpcModule(publisher: Publisher): Type {
  @Module({ controllers: [SnapshotController], providers: [{ provide: Publisher, useValue: publisher }] })
  class SnapshotRpcModule {}
  return SnapshotRpcModule;
}
