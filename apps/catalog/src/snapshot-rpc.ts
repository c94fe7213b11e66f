import { Controller, Module, type Type } from '@nestjs/common';
import { GrpcMethod } from '@nestjs/microservices';
import { catalogV1, refuse, RefusalError } from '@sallyport/contracts';
import { from, mergeMap, type Observable } from 'rxjs';
import { Publisher } from './publisher';

/** Full name of the service that hands the configuration to processes without the bus. */
export const SNAPSHOT_SERVICE = 'sallyport.catalog.v1.SnapshotService';

@Controller()
class SnapshotController {
  constructor(private readonly publisher: Publisher) {}

  /** Nest writes what it is given as fast as the peer takes it. */
  @GrpcMethod('SnapshotService', 'Read')
  read({ knownRevision }: catalogV1.ReadRequest): Observable<catalogV1.ReadReply> {
    return from(this.publisher.read(knownRevision)).pipe(mergeMap((found) => from(repliesOf(found))));
  }
}

const CHUNK_BYTES = 512 * 1024;

function* repliesOf(found: Awaited<ReturnType<Publisher['read']>>): Iterable<catalogV1.ReadReply> {
  if (!found) throw new RefusalError(refuse('CATALOG_NOT_FOUND', { kind: 'revision', name: 'head' }));
  const { revision, sha256 } = found;
  if (found.document === undefined) {
    yield { revision, sha256, unchanged: true, chunk: Buffer.alloc(0) };
    return;
  }
  const document = Buffer.from(found.document);
  for (let begin = 0; begin < document.length; begin += CHUNK_BYTES) {
    yield { revision, sha256, unchanged: false, chunk: document.subarray(begin, begin + CHUNK_BYTES) };
  }
}

export function snapshotRpcModule(publisher: Publisher): Type {
  @Module({ controllers: [SnapshotController], providers: [{ provide: Publisher, useValue: publisher }] })
  class SnapshotRpcModule {}
  return SnapshotRpcModule;
}
