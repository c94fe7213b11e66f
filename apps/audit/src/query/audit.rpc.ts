import { Controller, Inject, Module, type DynamicModule } from '@nestjs/common';
import { GrpcMethod } from '@nestjs/microservices';
import { auditV1 } from '@sallyport/contracts';
import { readAs, type AdminActor } from '@sallyport/platform';
import { Reader } from './reader';
import { Search, type StoredEvent } from './search';
import { searchRequest } from './search-request';

const AUDIT_SERVICE = 'sallyport.audit.v1.AuditService';

export const auditServices = { [AUDIT_SERVICE]: auditV1.AuditServiceService };

/** Whoever holds the admin token; gRPC has no header that says by which way. */
const ADMIN: AdminActor = { name: 'admin', via: 'api' };

@Controller()
class AuditController {
  constructor(
    @Inject(Reader) private readonly reader: Reader,
    @Inject(Search) private readonly engine: Search,
  ) {}

  @GrpcMethod(AUDIT_SERVICE, 'Search')
  async search(request: auditV1.SearchRequest): Promise<auditV1.SearchReply> {
    const { items, next } = await this.reader.search(readAs(searchRequest, filtersOf(request)), ADMIN);
    return { items: items.map(eventOf), next: next ?? '' };
  }

  @GrpcMethod(AUDIT_SERVICE, 'Get')
  async get({ uid }: auditV1.GetRequest): Promise<auditV1.Event> {
    return eventOf(await this.reader.get(uid, ADMIN));
  }

  @GrpcMethod(AUDIT_SERVICE, 'Committed')
  async committed({ chain }: auditV1.CommittedRequest): Promise<auditV1.CommittedReply> {
    return { seq: BigInt(await this.engine.committed(chain)) };
  }
}

@Module({})
export class AuditRpcModule {
  static over(reader: Reader, search: Search): DynamicModule {
    return {
      module: AuditRpcModule,
      controllers: [AuditController],
      providers: [
        { provide: Reader, useValue: reader },
        { provide: Search, useValue: search },
      ],
    };
  }
}

/** In proto3 a member that was not set is empty; in the schema it is absent. */
function filtersOf({ status, limit, ...texts }: auditV1.SearchRequest): { [name: string]: unknown } {
  const given: { [name: string]: unknown } = Object.fromEntries(
    Object.entries(texts).filter(([, text]) => text !== ''),
  );
  if (status !== 0) given['status'] = String(status);
  if (limit !== 0) given['limit'] = limit;
  return given;
}

function eventOf({ uid, kind, at, position, body }: StoredEvent): auditV1.Event {
  return { uid, kind, atMs: BigInt(at), position: BigInt(position), body };
}
