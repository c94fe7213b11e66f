import { refuse } from '@sallyport/contracts';
import { renderRefusal } from './refusal';

const occurrence = { requestId: 'req_1', publicUrl: 'https://gateway.example' };

describe('a refusal', () => {
  it.each(['problem', 'openai'] as const)('of a method says what would be allowed, in the dialect %s', (dialect) => {
    const refusal = refuse('METHOD_NOT_ALLOWED', { method: 'GET', allow: 'HEAD, POST' });
    expect(renderRefusal(refusal, dialect, occurrence)).toMatchObject({ status: 405, fields: { allow: 'HEAD, POST' } });
    expect(renderRefusal(refuse('ROUTE_NOT_FOUND'), dialect, occurrence).fields).not.toHaveProperty('allow');
  });
});
