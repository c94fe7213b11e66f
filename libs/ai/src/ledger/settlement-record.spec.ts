import { aiV1, commonV1, uuidv7 } from '@sallyport/contracts';
import { outcomeName, readSettlement, writeSettlement } from './settlement-record';

const settlement: aiV1.Settlement = aiV1.Settlement.fromPartial({
  requestId: 'req_1',
  n: 1,
  outcome: aiV1.Outcome.OUTCOME_CLIENT_ABORTED,
  status: 200,
  usage: commonV1.Usage.fromPartial({ input: 12n, reasoning: 3n }),
  source: aiV1.UsageSource.USAGE_SOURCE_REPORTED,
  costPicoUsd: 123_456_789_012_345n,
  tenant: 'default',
  eventId: uuidv7(1_700_000_000_000, (count) => new Uint8Array(count)),
});

describe('a settlement in the usage lane', () => {
  it('comes back as it was written, to the pico', () => {
    expect(readSettlement(writeSettlement(settlement))).toEqual(settlement);
  });

  it('names outcomes as receipts do', () => {
    expect(outcomeName(settlement.outcome)).toBe('client_aborted');
  });

  it.each<[string, Partial<aiV1.Settlement>]>([
    ['eventId is no UUID version 7', { eventId: 'x' }],
    ['tenant is no name', { tenant: 'A B' }],
    ['requestId is empty', { requestId: '' }],
    ['n is below 1', { n: 0 }],
    ['no name for', { outcome: aiV1.Outcome.OUTCOME_UNSPECIFIED }],
    ['costPicoUsd is out of range', { costPicoUsd: -1n }],
    ['costPicoUsd is out of range', { costPicoUsd: 10n ** 18n }],
    ['provider is no text that can be kept', { provider: 'a\0b' }],
    ['status is no count', { status: -5 }],
  ])('is refused when %s', (reason, change) => {
    expect(() => readSettlement(writeSettlement({ ...settlement, ...change }))).toThrow(reason);
  });

  it('is refused when it is not JSON', () => {
    expect(() => readSettlement(Buffer.from('no'))).toThrow();
  });
});
