import { Controller, Get, Inject } from '@nestjs/common';

export const STATUS = Symbol('Status');

/** What an operator wants to know of inspection. */
export interface InspectionStatus {
  /** Name of the rules in force. */
  readonly ruleset: string;
  readonly rules: number;
  /** Ids that routes may be inspected by. */
  readonly plans: readonly string[];
  /** Streams that ingresses hold open. */
  readonly streams: number;
  /** Exchanges that wait for more of their body. */
  readonly exchanges: number;
}

@Controller('status')
export class StatusController {
  constructor(@Inject(STATUS) private readonly status: () => InspectionStatus) {}

  @Get()
  read(): InspectionStatus {
    return this.status();
  }
}
