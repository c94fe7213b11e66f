import { Controller, Get, Inject } from '@nestjs/common';

export const STATUS = Symbol('Status');

/** What an operator wants to know of the limits. */
export interface LimitsStatus {
  /** Where buckets live. */
  readonly source: 'memory' | 'valkey';
  /** Whether that place answers; while it does not, this replica decides on its share from memory. */
  readonly up: boolean;
  /** Replicas that share the buckets. */
  readonly replicas: number;
  /** Ingress processes that are connected. */
  readonly live_nodes: number;
  /** Buckets in the memory of this replica. */
  readonly keys: number;
}

@Controller('status')
export class StatusController {
  constructor(@Inject(STATUS) private readonly status: () => LimitsStatus) {}

  @Get()
  read(): LimitsStatus {
    return this.status();
  }
}
