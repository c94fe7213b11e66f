import { Controller, Get, Inject } from '@nestjs/common';
import { INGRESS_STATUS, type IngressStatus } from './status';

@Controller()
export class StatusController {
  constructor(@Inject(INGRESS_STATUS) private readonly status: IngressStatus) {}

  /** What this ingress runs on. */
  @Get('status')
  read(): ReturnType<IngressStatus['read']> {
    return this.status.read();
  }

  /** The targets of every upstream: which of them are called, which are left out, and until when. */
  @Get('upstreams')
  upstreams(): ReturnType<IngressStatus['upstreams']> {
    return this.status.upstreams();
  }
}
