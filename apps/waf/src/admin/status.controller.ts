import { Controller, Get, Inject } from '@nestjs/common';

export const STATUS = Symbol('Status');

/** What an operator wants to know of inspection. */
export interface InspectionStatus {
  /** Name of the rules in force. */
  readonly ruleset: string;
  /** Where they were found: environment, installed, debian or built-in. */
  readonly origin: string;
  readonly rules: number;
  /** Of all files of the set, hexadecimal. */
  readonly sha256: string;
  /** Rule sets that were refused, with the reason and the place. */
  readonly refused: readonly { readonly name: string; readonly problem: string }[];
  /** Kill switches that hold. */
  readonly kills: number;
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
