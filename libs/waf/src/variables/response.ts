import type { Bytes } from '../bytes';
import { Entries } from './entries';
import type { Facts } from './facts';
import { collection, scalar, type Variable } from './variable';

function fieldNames(facts: Facts): Bytes[] {
  return facts.response?.fields.map(({ name }) => name) ?? [];
}

function mediaTypeOf({ response }: Facts): Bytes {
  const type = response?.fields.find(({ name }) => name.toLowerCase() === 'content-type')?.value ?? '';
  return type.split(';', 1)[0]!.trim();
}

const length = ({ responseLength }: Facts) => Entries.single(String(responseLength));

/** The answer of the origin. */
export const responseVariables: readonly Variable[] = [
  scalar('RESPONSE_STATUS', 'response', ({ response }) => Entries.single(response ? String(response.status) : '')),
  scalar('RESPONSE_PROTOCOL', 'response', ({ response }) => Entries.single(response?.protocol ?? 'HTTP/1.1')),
  scalar('STATUS_LINE', 'response', ({ response }) =>
    Entries.single(response ? `${response.protocol ?? 'HTTP/1.1'} ${response.status}` : ''),
  ),
  scalar('RESPONSE_CONTENT_TYPE', 'response', (facts) => Entries.single(mediaTypeOf(facts))),
  collection(
    'RESPONSE_HEADERS',
    'response',
    (facts) => new Entries(fieldNames(facts), facts.response?.fields.map(({ value }) => value) ?? []),
  ),
  collection('RESPONSE_HEADERS_NAMES', 'response', (facts) => new Entries(fieldNames(facts), fieldNames(facts))),
  scalar('RESPONSE_BODY', 'response-body', ({ responseBody }) => Entries.single(responseBody)),
  scalar('RESPONSE_CONTENT_LENGTH', 'response-body', length),
  scalar('RESPONSE_BODY_LENGTH', 'response-body', length),
  scalar('OUTBOUND_DATA_ERROR', 'response-body', () => Entries.single('0')),
];
